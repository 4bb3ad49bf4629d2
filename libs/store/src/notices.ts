import pg from 'pg'
import type { Store } from './create-database.ts'
import type { NewRow, ProblemJson, Row } from './schema.ts'
import { storableJson } from './storable-json.ts'

export type NoticeFacts = {
  change: Pick<Row<'access_changes'>, 'id' | 'mailbox_id' | 'organization_id' | 'state' | 'announced_at'>
  /** The notice of the change, if it has one already. */
  notice: Pick<Row<'notices'>, 'id' | 'state'> | null
  /** These two are null when they are not stored. */
  organization: Pick<Row<'organizations'>, 'id' | 'name' | 'report_only'> | null
  mailbox: { displayName: string; primarySmtpAddress: string; preferredLanguage: string | null } | null
  /** The devices that will be blocked; empty when there is a notice already, which remembers its own. */
  devices: {
    deviceId: string
    deviceType: string
    deviceModel: string
    deviceOs: string
    friendlyName: string
    reason: string
  }[]
}

/** The lists are only looked up for a change whose notice is still to be made: most messages are about others. */
const READ_FACTS = {
  name: 'read-notice-facts',
  text: `select json_build_object('id', c.id, 'mailbox_id', c.mailbox_id, 'organization_id', c.organization_id, 'state', c.state) as change,
      c.announced_at,
      case when n.id is not null then json_build_object('id', n.id, 'state', n.state) end as notice,
      case when o.id is not null then json_build_object('id', o.id, 'name', o.name, 'report_only', o.report_only) end as organization,
      case when m.id is not null then json_build_object('displayName', m.display_name,
        'primarySmtpAddress', m.primary_smtp_address, 'preferredLanguage',
        case when c.announced_at is not null and n.id is null then (
          select u.preferred_language from directory_users u
          where lower(u.user_principal_name) = lower(m.primary_smtp_address) or lower(u.mail) = lower(m.primary_smtp_address)
          order by (lower(u.user_principal_name) = lower(m.primary_smtp_address)) desc, u.id limit 1) end) end as mailbox,
      coalesce(case when c.announced_at is not null and n.id is null then (
        select json_agg(json_build_object('deviceId', p.device_id, 'deviceType', p.device_type, 'deviceModel', p.device_model,
          'deviceOs', p.device_os, 'friendlyName', p.friendly_name, 'reason', coalesce(d.reason, ''))
          order by p.first_sync_time nulls last, p.id)
        from device_partnerships p left join decisions d on d.partnership_id = p.id
        where p.mailbox_id = c.mailbox_id and p.vanished_at is null and lower(btrim(p.device_id, E' \\t\\r\\n')) in (
          select lower(btrim(b.id, E' \\t\\r\\n')) from jsonb_array_elements_text(c.plan -> 'blockAdd') as b(id))) end, '[]') as devices
    from access_changes c
    left join organizations o on o.id = c.organization_id
    left join mailboxes m on m.id = c.mailbox_id
    left join notices n on n.key = 'block:' || c.id::text
    where c.id = $1::uuid`,
}

/** What has come of a change and, if it still needs one, what its notice is made from. `undefined`: it is not stored. */
export async function readNoticeFacts(pool: Pick<Store['pool'], 'query'>, changeId: string): Promise<NoticeFacts | undefined> {
  type Stored = Omit<NoticeFacts, 'change'> & { change: Omit<NoticeFacts['change'], 'announced_at'>; announced_at: Date | null }
  const { rows } = await pool.query<Stored>({ ...READ_FACTS, values: [changeId] })
  const [stored] = rows
  if (stored === undefined) return undefined
  const { announced_at, ...facts } = stored
  return { ...facts, change: { ...facts.change, announced_at } }
}

/** The key of the one notice that a block can have. */
export function blockNoticeKey(changeId: string): string {
  return `block:${changeId.toLowerCase()}`
}

export type NewNotice = Omit<NewRow<'notices'>, 'variables' | 'attempts' | 'problem' | 'sent_at'> & { variables: object }

const INSERT = {
  name: 'insert-notice',
  text: `insert into notices (id, key, organization_id, mailbox_id, change_id, recipient, locale, template, variables, state, created_at)
    values ($1::uuid, $2::text, $3::uuid, $4::uuid, $5::uuid, $6::text, $7::text, $8::text, $9::jsonb, $10::text, $11::timestamptz)
    on conflict (key) do nothing returning id, state`,
}

/** Stores a notice unless one with its key is there already; answers the one that is stored. */
export async function insertNotice(pool: Store['pool'], notice: NewNotice): Promise<Pick<Row<'notices'>, 'id' | 'state'>> {
  const { id, key, organization_id, mailbox_id, change_id, recipient, locale, template, state, created_at } = notice
  const variables = storableJson(notice.variables)
  const values = [id, key, organization_id, mailbox_id, change_id, recipient, locale, template, variables, state, created_at]
  type Stored = Pick<Row<'notices'>, 'id' | 'state'>
  const inserted = await pool.query<Stored>({ ...INSERT, values })
  const [stored] = inserted.rowCount === 0 ? (await pool.query<Stored>(SELECT_BY_KEY, [key])).rows : inserted.rows
  if (stored === undefined) throw new Error('A notice was deleted while it was being stored')
  return stored
}

const SELECT_BY_KEY = 'select id, state from notices where key = $1::text'

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

const READ = {
  name: 'read-notice',
  text: `select n.*, (extract(epoch from clock_timestamp() - n.sent_at) * 1000)::float8 as attempt_ms, o.report_only,
      c.state as change_state, t.subject as template_subject, t.body_markdown as template_body
    from notices n
    left join organizations o on o.id = n.organization_id
    left join access_changes c on c.id = n.change_id
    left join message_templates t on t.organization_id = n.organization_id and t.locale = n.locale
    where n.id = $1::uuid`,
}

export async function readNotice(pool: Pick<Store['pool'], 'query'>, noticeId: string): Promise<NoticeToSend | undefined> {
  const { rows } = await pool.query<NoticeToSend>({ ...READ, values: [noticeId] })
  return rows[0]
}

/** How many sends the organisation may begin within the window; both are positive integers. */
export type MailRate = { messagesMax: number; windowMs: number }

/**
 * Commits that this notice is about to be sent, if the organisation's rate allows one more within the window; all copies
 * share the count. While a notice is `sending`, `sent_at` is when the attempt began.
 *
 * Nothing happens unless the notice still is as it was read: whoever lost the lock of the notice in between must not send it.
 * @returns the number of the attempt when it may be sent now, else in how many milliseconds to try again.
 */
export async function beginSending(
  pool: Store['pool'],
  notice: Pick<Row<'notices'>, 'id' | 'organization_id' | 'state' | 'attempts'>,
  rate: MailRate,
): Promise<{ attempt: number } | { waitMs: number }> {
  // One string of two statements is one transaction and one round trip, and the second statement sees what was committed
  // while the first one waited; a single statement would count by what it saw before. Such a string takes no parameters.
  const results = (await pool.query(beginText(notice, rate))) as unknown as pg.QueryResult<{ attempts: number }>[]
  const begun = results[1]?.rows[0]
  if (begun !== undefined) return { attempt: begun.attempts }
  const { rows } = await pool.query<{ wait_ms: number }>(RATE_WAIT, [
    notice.organization_id,
    notice.id,
    rate.windowMs,
    rate.messagesMax - 1,
  ])
  return { waitMs: Math.max(1, Math.ceil(rows[0]?.wait_ms ?? 0)) }
}

/** The clock is read in a query of its own, and the newest come first, so that the index on `sent_at` serves: old notices cost nothing. */
function beginText(notice: Parameters<typeof beginSending>[1], rate: MailRate): string {
  const [id, organizationId] = [`${literal(notice.id)}::uuid`, `${literal(notice.organization_id)}::uuid`]
  return `select pg_advisory_xact_lock(hashtextextended(${literal(`mail-rate:${notice.organization_id}`)}, 0));
    update notices set state = 'sending', sent_at = clock_timestamp(), attempts = attempts + 1
    where id = ${id} and state = ${literal(notice.state)} and attempts = ${integer(notice.attempts)} and not exists (
      select from notices
      where organization_id = ${organizationId} and id <> ${id} and state in ('sending', 'sent')
        and sent_at > (select clock_timestamp()) - ${integer(rate.windowMs)} * interval '1 millisecond'
      order by sent_at desc offset ${integer(rate.messagesMax - 1)} limit 1)
    returning attempts`
}

const RATE_WAIT = `select ($3::integer - extract(epoch from clock_timestamp() - sent_at) * 1000)::float8 as wait_ms
  from notices
  where organization_id = $1::uuid and id <> $2::uuid and state in ('sending', 'sent')
    and sent_at > (select clock_timestamp()) - $3::integer * interval '1 millisecond'
  order by sent_at desc offset $4::integer limit 1`

function literal(text: string): string {
  return pg.escapeLiteral(text)
}

function integer(value: number): string {
  if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`${value} is not a count`)
  return value.toString()
}

const SETTLE = {
  name: 'settle-notice',
  text: `update notices set state = $2::text, problem = $3::jsonb,
      sent_at = case $2::text when 'sent' then clock_timestamp() when 'sending' then sent_at end
    where id = $1::uuid and ($2::text = 'sent' or (state = 'sending' and attempts = $4::integer))`,
}

/**
 * How an attempt ended. `pending`: it is certain that nothing was sent; `sending`: it is not. That it was sent holds whatever
 * else happened; anything else only while no later attempt has begun.
 */
export async function settleNotice(
  pool: Store['pool'],
  which: { id: string; attempt: number },
  to: { state: Row<'notices'>['state']; problem?: ProblemJson },
): Promise<void> {
  const problem = to.problem === undefined ? null : storableJson(to.problem)
  await pool.query({ ...SETTLE, values: [which.id, to.state, problem, which.attempt] })
}

/** Gives up notices that are certainly not on their way; one that a copy has begun to send is seen through. */
export async function suppressNotices(pool: Store['pool'], which: { id: string } | { changeId: string }): Promise<void> {
  const [column, value] = 'id' in which ? (['id', which.id] as const) : (['change_id', which.changeId] as const)
  await pool.query(`update notices set state = 'suppressed' where ${column} = $1::uuid and state = 'pending'`, [value])
}
