import type { BrokerConnection } from '@gatehouse/broker'
import type { Graph } from '@gatehouse/graph'
import type { AdvisoryLocks, Store } from '@gatehouse/store'
import type { DecisionStore } from './decision-store.ts'
import type { RefreshGate } from './refresh-gate.ts'

/** What the handlers work with. */
export type ComplianceLookupDeps = {
  readonly pool: Store['pool']
  readonly db: Store['db']
  readonly locks: Pick<AdvisoryLocks, 'tryLock'>
  readonly broker: Pick<BrokerConnection, 'publish'>
  readonly graph: Graph
  readonly gate: RefreshGate
  readonly decisions: DecisionStore
  /** Takes note, for Prometheus, of a refresh that failed. */
  readonly noteFailure: (error: unknown) => void
  readonly maxAttempts: number
  readonly shrinkPercentMax: number
  readonly log: {
    info(fields: object, message: string): void
    warn(fields: object, message: string): void
  }
}
