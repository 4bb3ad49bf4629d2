import type { Store } from './create-database.ts'
import { storableJson } from './storable-json.ts'

/** A device partnership as Exchange's answer has it, ready to be stored. */
export type ObservedPartnership = {
  id: string
  mailbox_id: string
  device_id: string
  device_type: string
  device_model: string
  device_os: string
  device_user_agent: string
  friendly_name: string
  client_type: string
  device_access_state: string
  device_access_state_reason: string
  first_sync_time: Date | null
}

export type StoredPartnership = ObservedPartnership & { is_vanished: boolean }

const CHUNK_ROWS = 2_000

/** Every partnership ever seen in the organisation, the vanished ones too. */
export async function readStoredPartnerships(pool: Store['pool'], organizationId: string): Promise<StoredPartnership[]> {
  const { rows } = await pool.query<StoredPartnership>(
    `select id, mailbox_id, device_id, device_type, device_model, device_os, device_user_agent, friendly_name, client_type,
       device_access_state, device_access_state_reason, first_sync_time, vanished_at is not null as is_vanished
     from device_partnerships where organization_id = $1`,
    [organizationId],
  )
  return rows
}

/** Stores what was read. A row observed later than this stays. */
export async function storePartnerships(
  pool: Store['pool'],
  o: { organizationId: string; observedAt: Date; partnerships: readonly ObservedPartnership[] },
): Promise<void> {
  for (let from = 0; from < o.partnerships.length; from += CHUNK_ROWS) {
    const rows = o.partnerships.slice(from, from + CHUNK_ROWS)
    await pool.query(
      `insert into device_partnerships as stored (id, organization_id, mailbox_id, device_id, device_type, device_model, device_os,
         device_user_agent, friendly_name, client_type, device_access_state, device_access_state_reason, first_sync_time, observed_at)
       select x.id, $2::uuid, x.mailbox_id, x.device_id, x.device_type, x.device_model, x.device_os, x.device_user_agent,
         x.friendly_name, x.client_type, x.device_access_state, x.device_access_state_reason, x.first_sync_time, $3::timestamptz
       from json_to_recordset($1::json) as x(id uuid, mailbox_id uuid, device_id text, device_type text, device_model text,
         device_os text, device_user_agent text, friendly_name text, client_type text, device_access_state text,
         device_access_state_reason text, first_sync_time timestamptz)
       on conflict (id) do update set organization_id = excluded.organization_id, mailbox_id = excluded.mailbox_id,
         device_id = excluded.device_id, device_type = excluded.device_type, device_model = excluded.device_model,
         device_os = excluded.device_os, device_user_agent = excluded.device_user_agent, friendly_name = excluded.friendly_name,
         client_type = excluded.client_type, device_access_state = excluded.device_access_state,
         device_access_state_reason = excluded.device_access_state_reason, first_sync_time = excluded.first_sync_time,
         observed_at = excluded.observed_at, vanished_at = null
       where stored.observed_at <= excluded.observed_at`,
      [storableJson(rows), o.organizationId, o.observedAt],
    )
  }
}

/** Marks every partnership that the complete read which began at `observedAt` did not list, but for `keptIds`. */
export async function markPartnershipsVanished(
  pool: Store['pool'],
  o: { organizationId: string; observedAt: Date; keptIds: readonly string[] },
): Promise<number> {
  const { rowCount } = await pool.query(
    `update device_partnerships set vanished_at = $2::timestamptz
     where organization_id = $1 and vanished_at is null and observed_at < $2::timestamptz and id <> all ($3::uuid[])`,
    [o.organizationId, o.observedAt, o.keptIds],
  )
  return rowCount ?? 0
}

/** The device id Exchange knows this partnership of this organisation by, undefined when there is none. */
export async function readPartnershipDeviceId(
  pool: Store['pool'],
  o: { organizationId: string; partnershipId: string },
): Promise<string | undefined> {
  const { rows } = await pool.query<{ device_id: string }>(
    'select device_id from device_partnerships where id = $1 and organization_id = $2',
    [o.partnershipId, o.organizationId],
  )
  return rows[0]?.device_id
}
