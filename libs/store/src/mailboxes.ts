import type { Store } from './create-database.ts'
import { storableJson } from './storable-json.ts'

/** A mailbox as Exchange's answer has it, ready to be stored. */
export type ObservedMailbox = {
  id: string
  distinguished_name: string
  primary_smtp_address: string
  display_name: string
  active_sync_enabled: boolean
  allowed_device_ids: string[]
  blocked_device_ids: string[]
}

export type StoredMailbox = ObservedMailbox & { is_vanished: boolean; published_run_id: string | null }

const CHUNK_ROWS = 2_000

/** PostgreSQL's clock. Every time that is compared with another across machines comes from it. */
export async function readDatabaseClock(pool: Store['pool']): Promise<Date> {
  const { rows } = await pool.query<{ at: Date }>('select clock_timestamp() as at')
  if (rows[0] === undefined) throw new Error('PostgreSQL does not tell the time')
  return rows[0].at
}

/** Every mailbox ever seen in the organisation, the vanished ones too. */
export async function readStoredMailboxes(pool: Store['pool'], organizationId: string): Promise<StoredMailbox[]> {
  const { rows } = await pool.query<StoredMailbox>(
    `select id, distinguished_name, primary_smtp_address, display_name, active_sync_enabled, allowed_device_ids,
       blocked_device_ids, published_run_id, vanished_at is not null as is_vanished
     from mailboxes where organization_id = $1`,
    [organizationId],
  )
  return rows
}

/** How many mailboxes and partnerships of the organisation were there at the last look. */
export async function countObserved(
  pool: Store['pool'],
  organizationId: string,
): Promise<{ mailboxes: number; partnerships: number }> {
  const { rows } = await pool.query<{ mailboxes: number; partnerships: number }>(
    `select (select count(*) from mailboxes where organization_id = $1 and vanished_at is null) as mailboxes,
       (select count(*) from device_partnerships where organization_id = $1 and vanished_at is null) as partnerships`,
    [organizationId],
  )
  return rows[0] ?? { mailboxes: 0, partnerships: 0 }
}

/** Stores what was read; `publishedIds` are the mailboxes that `runId` publishes. A row observed later than this stays. */
export async function storeMailboxes(
  pool: Store['pool'],
  o: {
    organizationId: string
    observedAt: Date
    runId: string
    mailboxes: readonly ObservedMailbox[]
    publishedIds: ReadonlySet<string>
  },
): Promise<void> {
  for (let from = 0; from < o.mailboxes.length; from += CHUNK_ROWS) {
    const rows = o.mailboxes.slice(from, from + CHUNK_ROWS).map((row) => ({ ...row, is_published: o.publishedIds.has(row.id) }))
    await pool.query(
      `insert into mailboxes as stored (id, organization_id, distinguished_name, primary_smtp_address, display_name,
         active_sync_enabled, allowed_device_ids, blocked_device_ids, observed_at, published_run_id)
       select x.id, $2::uuid, x.distinguished_name, x.primary_smtp_address, x.display_name, x.active_sync_enabled,
         x.allowed_device_ids, x.blocked_device_ids, $3::timestamptz, case when x.is_published then $4::uuid end
       from json_to_recordset($1::json) as x(id uuid, distinguished_name text, primary_smtp_address text, display_name text,
         active_sync_enabled boolean, allowed_device_ids text[], blocked_device_ids text[], is_published boolean)
       on conflict (id) do update set organization_id = excluded.organization_id,
         distinguished_name = excluded.distinguished_name, primary_smtp_address = excluded.primary_smtp_address,
         display_name = excluded.display_name, active_sync_enabled = excluded.active_sync_enabled,
         allowed_device_ids = excluded.allowed_device_ids, blocked_device_ids = excluded.blocked_device_ids,
         observed_at = excluded.observed_at, published_run_id = coalesce(excluded.published_run_id, stored.published_run_id),
         vanished_at = null
       where stored.observed_at <= excluded.observed_at`,
      [storableJson(rows), o.organizationId, o.observedAt, o.runId],
    )
  }
}

/** Marks every mailbox that the complete read which began at `observedAt` did not list, but for `keptIds`. Gives their ids. */
export async function markMailboxesVanished(
  pool: Store['pool'],
  o: { organizationId: string; observedAt: Date; keptIds: readonly string[] },
): Promise<string[]> {
  const { rows } = await pool.query<{ id: string }>(
    `update mailboxes set vanished_at = $2::timestamptz
     where organization_id = $1 and vanished_at is null and observed_at < $2::timestamptz and id <> all ($3::uuid[]) returning id`,
    [o.organizationId, o.observedAt, o.keptIds],
  )
  return rows.map(({ id }) => id)
}
