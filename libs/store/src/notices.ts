import { type Kysely, sql } from 'kysely'
import type { Database, NewRow, ProblemJson, Row } from './schema.ts'
import { lockInTransaction } from './try-lock.ts'

/** Stores a notice unless one with its key is there already; answers the one that is stored. */
export async function insertNotice(db: Kysely<Database>, notice: NewRow<'notices'>): Promise<Row<'notices'>> {
  const stored = await db
    .insertInto('notices')
    .values(notice)
    .onConflict((conflict) => conflict.column('key').doNothing())
    .returningAll()
    .executeTakeFirst()
  return stored ?? (await db.selectFrom('notices').selectAll().where('key', '=', notice.key).executeTakeFirstOrThrow())
}

/** A notice with what matters for sending it. */
export type NoticeToSend = Row<'notices'> & {
  /** For how long its last attempt has been under way, by PostgreSQL's clock. */
  attempt_ms: number | null
  /** null: the organisation is not stored. */
  report_only: boolean | null
  change_state: Row<'access_changes'>['state'] | null
  /** The organisation's own template in the language of the notice, if it has one. */
  template_subject: string | null
  template_body: string | null
}

export async function readNotice(db: Kysely<Database>, noticeId: string): Promise<NoticeToSend | undefined> {
  const { rows } = await sql<NoticeToSend>`
    select n.*, (extract(epoch from clock_timestamp() - n.sent_at) * 1000)::float8 as attempt_ms, o.report_only,
      c.state as change_state, t.subject as template_subject, t.body_markdown as template_body
    from notices n
    left join organizations o on o.id = n.organization_id
    left join access_changes c on c.id = n.change_id
    left join message_templates t on t.organization_id = n.organization_id and t.locale = n.locale
    where n.id = ${noticeId}`.execute(db)
  return rows[0]
}

/**
 * Commits that this notice is about to be sent, if the organisation's rate allows one more within the window; all copies
 * share the count. While a notice is `sending`, `sent_at` is when the attempt began.
 * @returns `undefined` when it may be sent now, else in how many milliseconds the next one may.
 */
export async function beginSending(
  db: Kysely<Database>,
  notice: { id: string; organizationId: string },
  rate: { messagesMax: number; windowMs: number },
): Promise<number | undefined> {
  return await db.transaction().execute(async (transaction) => {
    await lockInTransaction(transaction, `mail-rate:${notice.organizationId}`)
    const { rows } = await sql<{ wait_ms: number }>`
      select (${rate.windowMs} - extract(epoch from clock_timestamp() - sent_at) * 1000)::float8 as wait_ms
      from notices
      where organization_id = ${notice.organizationId} and id <> ${notice.id} and state in ('sending', 'sent')
        and sent_at > clock_timestamp() - ${rate.windowMs} * interval '1 millisecond'
      order by sent_at desc offset ${rate.messagesMax - 1} limit 1`.execute(transaction)
    if (rows[0] !== undefined) return Math.max(1, Math.ceil(rows[0].wait_ms))
    await transaction
      .updateTable('notices')
      .set({ state: 'sending', sent_at: sql<Date>`clock_timestamp()`, attempts: sql<number>`attempts + 1` })
      .where('id', '=', notice.id)
      .execute()
    return undefined
  })
}

/** How an attempt ended. `pending`: it is certain that nothing was sent; `sending`: it is not. */
export async function settleNotice(
  db: Kysely<Database>,
  noticeId: string,
  to: { state: Row<'notices'>['state']; problem?: ProblemJson },
): Promise<void> {
  const sentAt = { sent: sql<Date>`clock_timestamp()`, sending: sql<Date | null>`sent_at` }
  await db
    .updateTable('notices')
    .set({
      state: to.state,
      sent_at: to.state === 'sent' ? sentAt.sent : to.state === 'sending' ? sentAt.sending : null,
      problem: to.problem === undefined ? null : JSON.stringify(to.problem),
    })
    .where('id', '=', noticeId)
    .execute()
}

/** Gives up notices that are certainly not on their way; one that a copy has begun to send is seen through. */
export async function suppressNotices(db: Kysely<Database>, which: { id: string } | { change_id: string }): Promise<void> {
  const [column, value] = 'id' in which ? (['id', which.id] as const) : (['change_id', which.change_id] as const)
  await db
    .updateTable('notices')
    .set({ state: 'suppressed' })
    .where(column, '=', value)
    .where('state', '=', 'pending')
    .execute()
}

export type NoticeFacts = {
  change: Row<'access_changes'>
  organization: Pick<Row<'organizations'>, 'id' | 'name' | 'report_only'>
  mailbox: { displayName: string; primarySmtpAddress: string; preferredLanguage: string | null }
  devices: {
    deviceId: string
    deviceType: string
    deviceModel: string
    deviceOs: string
    friendlyName: string
    reason: string
  }[]
}

/** What a change has come to, read alone: most changes need no notice. */
export async function readChangeProgress(
  db: Kysely<Database>,
  changeId: string,
): Promise<Pick<Row<'access_changes'>, 'state' | 'announced_at'> | undefined> {
  return await db.selectFrom('access_changes').select(['state', 'announced_at']).where('id', '=', changeId).executeTakeFirst()
}

/** What a notice about a change is made from; `undefined` when the change, its mailbox or its organisation is not stored. */
export async function readNoticeFacts(db: Kysely<Database>, changeId: string): Promise<NoticeFacts | undefined> {
  const { rows } = await sql<{
    change: Row<'access_changes'>
    organization: NoticeFacts['organization']
    mailbox: NoticeFacts['mailbox']
  }>`
    select to_jsonb(c) as change, jsonb_build_object('id', o.id, 'name', o.name, 'report_only', o.report_only) as organization,
      jsonb_build_object('displayName', m.display_name, 'primarySmtpAddress', m.primary_smtp_address, 'preferredLanguage', (
        select u.preferred_language from directory_users u
        where lower(u.user_principal_name) = lower(m.primary_smtp_address) or lower(u.mail) = lower(m.primary_smtp_address)
        order by (lower(u.user_principal_name) = lower(m.primary_smtp_address)) desc, u.id limit 1)) as mailbox
    from access_changes c
    join organizations o on o.id = c.organization_id
    join mailboxes m on m.id = c.mailbox_id
    where c.id = ${changeId}`.execute(db)
  const [facts] = rows
  if (facts === undefined) return undefined
  return { ...facts, devices: await readBlockedDevices(db, facts.change) }
}

async function readBlockedDevices(db: Kysely<Database>, change: Row<'access_changes'>): Promise<NoticeFacts['devices']> {
  const keys = change.plan.blockAdd.map((deviceId) => deviceId.trim().toLowerCase())
  if (keys.length === 0) return []
  const { rows } = await sql<NoticeFacts['devices'][number]>`
    select p.device_id as "deviceId", p.device_type as "deviceType", p.device_model as "deviceModel", p.device_os as "deviceOs",
      p.friendly_name as "friendlyName", coalesce(d.reason, '') as reason
    from device_partnerships p left join decisions d on d.partnership_id = p.id
    where p.mailbox_id = ${change.mailbox_id} and p.vanished_at is null and lower(p.device_id) = any(${keys})
    order by p.first_sync_time nulls last, p.id`.execute(db)
  return rows
}
