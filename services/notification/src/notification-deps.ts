import type { MailLog } from '@gatehouse/mail'
import type { Database } from '@gatehouse/store'
import type { Kysely } from 'kysely'
import type { Outbox } from './outbox.ts'

export type NotificationDeps = {
  readonly db: Kysely<Database>
  /** By organisation id; an organisation without one is not mailed. */
  readonly outboxes: ReadonlyMap<string, Outbox>
  readonly log: MailLog
  readonly now: () => Date
  /** How long after an attempt of unknown outcome Sent Items is asked: Exchange files the copy a moment after it took the mail. */
  readonly settleMs?: number
}
