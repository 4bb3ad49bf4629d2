import { PermanentError, RetryableError } from '@gatehouse/messages'
import type { Clock } from '../clock.ts'
import type { EngineLog } from '../engine-log.ts'
import type { Lease, LeaseBroker } from '../leases.ts'
import type { Command } from '../protocol/command.ts'
import { LeaseKeeper } from './lease-keeper.ts'
import type { RemoteShell } from './remote-shell.ts'
import { Runspace } from './runspace.ts'

export type PooledShellOptions = {
  readonly createShell: () => RemoteShell
  readonly leases: LeaseBroker | undefined
  readonly onOpenRunspace: readonly Command[]
  readonly clock: Clock
  readonly log: EngineLog
  readonly openMs: number
  readonly closeMs: number
  readonly stopMs: number
  readonly leaseRenewMs: number
  readonly resultBytesMax: number
  readonly onThrottled: (waitMs: number) => void
}

const LEASE_RETRY_MS = 2_000

/** A runspace of the pool, with the lease that it occupies. */
export class PooledShell {
  readonly id: number
  readonly runspace: Runspace
  readonly openedAt: number
  idleSince = 0
  private readonly options: PooledShellOptions
  private readonly lease: Lease | undefined
  private keeper: LeaseKeeper | undefined
  /** False while there cannot be a shell on the server. */
  private mayExist = false

  private constructor(id: number, runspace: Runspace, lease: Lease | undefined, options: PooledShellOptions) {
    this.id = id
    this.runspace = runspace
    this.lease = lease
    this.options = options
    this.openedAt = options.clock.now()
  }

  /**
   * Takes a lease, creates a shell, waits for its runspace and prepares it. Throws `runspace-lease-unavailable` when the
   * account's budget is used up, `runspace-preparation-failed` when a preparing command fails, and what the transport throws.
   */
  static async open(id: number, options: PooledShellOptions, signal: AbortSignal): Promise<PooledShell> {
    const { leases, clock, stopMs, resultBytesMax, onThrottled } = options
    const askedAt = clock.now()
    const lease = await leases?.acquire(signal)
    if (leases !== undefined && lease === undefined) {
      throw new RetryableError('runspace-lease-unavailable', 'All shells of the account are in use', {
        retryAfterMs: LEASE_RETRY_MS,
        detail: { mayHaveRun: false },
      })
    }
    const shell = await createShell(options, lease)
    const opened = new PooledShell(id, new Runspace({ shell, clock, stopMs, resultBytesMax, onThrottled }), lease, options)
    try {
      await opened.openWithin(signal)
    } catch (error) {
      await opened.giveUp()
      throw error
    }
    if (lease !== undefined) opened.keeper = new LeaseKeeper(lease, askedAt, { ...options, renewMs: options.leaseRenewMs })
    return opened
  }

  /** Nothing that runs in the shell, or is sent to it, comes to an end. */
  get isLost(): boolean {
    return this.runspace.lostBecause !== undefined || this.runspace.shell.ending === 'lost'
  }

  /** Not for another command: lost, about to end, or its lease was not kept and the budget may already be given to another. */
  get mustClose(): boolean {
    return this.keeper?.isLost === true || this.isLost || this.runspace.shell.ending !== undefined
  }

  /** Deletes the shell on the server, within `closeMs`; never throws. */
  async close(): Promise<void> {
    this.keeper?.stop()
    const { shell } = this.runspace
    const deleted = !this.mayExist || (await this.deleteShell(shell))
    await shell.destroy().catch(() => {})
    // Not deleted: it goes on counting on the server until its idle timeout.
    await (deleted ? this.lease?.release() : this.lease?.abandon())?.catch((error: unknown) => {
      this.options.log.warn({ leaseId: this.lease?.id, err: error }, 'Lease could not be given back')
    })
  }

  private async deleteShell(shell: RemoteShell): Promise<boolean> {
    const cancel = this.options.clock.setTimeout(() => void shell.destroy().catch(() => {}), this.options.closeMs)
    try {
      await shell.delete()
      return true
    } catch (error) {
      this.options.log.warn({ shellId: shell.address.shellId, err: error }, 'Shell could not be deleted')
      return false
    } finally {
      cancel()
    }
  }

  /** `close` for a shell that does not answer: what is in flight is broken first. Never throws. */
  async giveUp(): Promise<void> {
    await this.runspace.shell.reset().catch(() => {})
    await this.close()
  }

  private async openWithin(signal: AbortSignal): Promise<void> {
    const { shell } = this.runspace
    let reason: Error | undefined
    const fail = (error: Error) => {
      reason ??= error
      void shell.reset().catch(() => {})
    }
    const onAbort = () => fail(signal.reason instanceof Error ? signal.reason : new Error('Aborted'))
    const cancel = this.options.clock.setTimeout(
      () => fail(new RetryableError('runspace-open-timeout', `The runspace did not open within ${this.options.openMs} ms`)),
      this.options.openMs,
    )
    signal.addEventListener('abort', onAbort, { once: true })
    try {
      signal.throwIfAborted()
      await this.runspace.open(async () => {
        this.mayExist = true
        await this.lease?.attach(shell.address)
      })
      for (const command of this.options.onOpenRunspace) await this.prepare(command, signal)
      if (reason !== undefined) throw reason
    } catch (error) {
      this.mayExist ||= mayHaveCreated(error)
      throw reason ?? error
    } finally {
      cancel()
      signal.removeEventListener('abort', onAbort)
    }
  }

  private async prepare(command: Command, signal: AbortSignal): Promise<void> {
    const { errors } = await this.runspace.run(command, { stop: signal, timeoutMs: this.options.openMs })
    const [error] = errors
    if (error === undefined) return
    throw new RetryableError('runspace-preparation-failed', `${command.name}: ${error.message}`, {
      detail: { fullyQualifiedErrorId: error.fullyQualifiedErrorId, mayHaveRun: true },
    })
  }
}

/** A lease must not be lost with a shell that could not even be made. */
async function createShell({ createShell: create }: PooledShellOptions, lease: Lease | undefined): Promise<RemoteShell> {
  try {
    return create()
  } catch (error) {
    await lease?.release().catch(() => {})
    throw error
  }
}

/**
 * True unless the answer to Create says that there is none: a fault, a refusal, or no connection at all. A gateway that answers 502 or
 * 504 does not know what became of it (RFC 9110 §15.6).
 */
function mayHaveCreated(error: unknown): boolean {
  if (!(error instanceof PermanentError || error instanceof RetryableError)) return true
  const { sent, status } = error.detail
  if (status === 502 || status === 504) return true
  return sent !== false && !('faultCode' in error.detail) && status === undefined
}
