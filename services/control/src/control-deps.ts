import type { BrokerConnection } from '@gatehouse/broker'
import type { Database } from '@gatehouse/store'
import type { Tracer } from '@gatehouse/tracing'
import type { Logger, Settings } from '@gatehouse/worker'
import type { Kysely } from 'kysely'

export type ControlDeps = {
  readonly db: Kysely<Database>
  readonly broker: Pick<BrokerConnection, 'publish'>
  readonly settings: Settings
  readonly tracer: Tracer
  readonly log: Pick<Logger, 'debug' | 'info' | 'warn' | 'error'>
  readonly now: () => Date
}
