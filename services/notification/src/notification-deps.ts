import type { MailLog } from '@gatehouse/mail'
import type { AdvisoryLocks, Store } from '@gatehouse/store'
import type { Outbox } from './outbox.ts'

export type NotificationDeps = {
  readonly pool: Store['pool']
  readonly locks: Pick<AdvisoryLocks, 'tryLock'>
  /** By organisation id; an organisation without one is not mailed. */
  readonly outboxes: ReadonlyMap<string, Outbox>
  readonly log: MailLog
  readonly now: () => Date
  /** How long after an attempt of unknown outcome Sent Items is asked: Exchange files the copy a moment after it took the mail. */
  readonly settleMs?: number
}
