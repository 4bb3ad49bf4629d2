import type { Clock } from '../clock.ts'
import type { EngineLog } from '../engine-log.ts'
import type { Lease } from '../leases.ts'

const RETRY_MS = 2_000

export type LeaseKeeperOptions = {
  readonly clock: Clock
  readonly log: Pick<EngineLog, 'warn'>
  readonly renewMs: number
}

/**
 * Keeps a lease for as long as its shell is used. A renewal that fails is tried again: until half of the time is over for which the last
 * one counts, so that what runs in the shell can end before somebody else may be given its place.
 */
export class LeaseKeeper {
  private readonly lease: Lease
  private readonly options: LeaseKeeperOptions
  private cancel: () => void
  private keptAt: number
  private lost = false
  private isStopped = false

  /** `keptAt`: when it began to be taken, on the same clock. */
  constructor(lease: Lease, keptAt: number, options: LeaseKeeperOptions) {
    this.lease = lease
    this.options = options
    this.keptAt = keptAt
    this.cancel = this.renewIn(options.renewMs)
  }

  /** The budget may already have been given to another. */
  get isLost(): boolean {
    return this.lost
  }

  stop(): void {
    this.isStopped = true
    this.cancel()
  }

  private renewIn(ms: number): () => void {
    return this.options.clock.setTimeout(() => void this.renew(), ms)
  }

  private async renew(): Promise<void> {
    const { clock, log, renewMs } = this.options
    const beganAt = clock.now()
    try {
      await this.lease.renew()
      this.keptAt = beganAt
      if (!this.isStopped) this.cancel = this.renewIn(renewMs)
    } catch (error) {
      if (this.isStopped) return
      this.lost = clock.now() + RETRY_MS - this.keptAt > this.lease.validMs / 2
      log.warn({ leaseId: this.lease.id, err: error, isOver: this.lost }, 'Lease could not be renewed')
      if (!this.lost) this.cancel = this.renewIn(RETRY_MS)
    }
  }
}
