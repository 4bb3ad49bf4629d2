import type { Breaker, BrokerConnection } from '@gatehouse/broker'
import type { Exchange } from '@gatehouse/exchange'
import type { AdvisoryLocks, Store } from '@gatehouse/store'

/** One Exchange organisation as discovery reads it. */
export type Organization = {
  readonly id: string
  readonly name: string
  /** Connects at the first call, and again after a call that failed. */
  readonly connect: (signal: AbortSignal) => Promise<Exchange>
  /** Lets go of the connection: the next call of `connect` makes another, with the secrets as they are then. */
  readonly disconnect: () => Promise<void>
  /** While it is open the organisation's syncs wait in the ladder. */
  readonly breaker: Breaker
  /** Whether the two bulk lists may be read at the same time, in a shell each. */
  readonly isParallel: boolean
  /** How many devices a sharply smaller list had that was refused; the same answer twice is believed. */
  refusedDevices: number | undefined
  /** Takes note, for Prometheus, of what failed at its Exchange. */
  readonly noteFailure: (error: unknown) => void
}

/** What the handler works with. */
export type DiscoveryDeps = {
  readonly organizations: ReadonlyMap<string, Organization>
  readonly pool: Store['pool']
  readonly locks: Pick<AdvisoryLocks, 'tryLock'>
  readonly broker: Pick<BrokerConnection, 'publish'>
  readonly maxAttempts: number
  readonly publishMax: number
  readonly log: {
    info(fields: object, message: string): void
    warn(fields: object, message: string): void
  }
}
