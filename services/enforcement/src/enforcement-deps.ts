import type { BrokerConnection } from '@gatehouse/broker'
import type { AdvisoryLocks, Store } from '@gatehouse/store'
import type { EnforcementStore } from './enforcement-store.ts'
import type { Organization } from './organization.ts'
import type { Slots } from './slots.ts'

/** What the handlers work with. */
export type EnforcementDeps = {
  readonly organizations: ReadonlyMap<string, Organization>
  readonly slots: Slots
  readonly pool: Store['pool']
  readonly store: EnforcementStore
  readonly locks: Pick<AdvisoryLocks, 'tryLock'>
  readonly broker: Pick<BrokerConnection, 'publish'>
  readonly maxAttempts: number
  readonly log: {
    info(fields: object, message: string): void
    warn(fields: object, message: string): void
    debug(fields: object, message: string): void
  }
}
