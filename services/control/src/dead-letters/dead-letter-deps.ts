import type { BrokerConnection } from '@gatehouse/broker'
import type { AdvisoryLocks, Database, Store } from '@gatehouse/store'
import type { Logger } from '@gatehouse/worker'
import type { Kysely } from 'kysely'

export type DeadLetterDeps = {
  readonly db: Kysely<Database>
  readonly pool: Store['pool']
  readonly broker: Pick<BrokerConnection, 'publishRaw' | 'openChannel' | 'state'>
  readonly locks: Pick<AdvisoryLocks, 'tryLock'>
  readonly log: Pick<Logger, 'debug' | 'info' | 'warn' | 'error'>
  readonly now: () => Date
}
