import type { Store } from './create-database.ts'
import { storableJson } from './storable-json.ts'

/** A managedDevice of Intune, ready to be stored. */
export type ObservedManagedDevice = {
  id: string
  user_id: string
  user_principal_name: string
  azure_ad_device_id: string
  azure_ad_registered: boolean
  device_registration_state: string
  eas_activated: boolean
  eas_device_id: string
  eas_device_id_key: string
  compliance_state: string
  compliance_grace_expires_at: Date | null
  management_agent: string
  last_sync_at: Date | null
  operating_system: string
  model: string
  device_name: string
}

const CHUNK_ROWS = 2_000

/** Stores what Intune said. A row refreshed later than this stays. */
export async function storeManagedDevices(
  pool: Store['pool'],
  o: { refreshedAt: Date; devices: readonly ObservedManagedDevice[] },
): Promise<void> {
  for (let from = 0; from < o.devices.length; from += CHUNK_ROWS) {
    await pool.query(
      `insert into managed_devices as stored (id, user_id, user_principal_name, azure_ad_device_id, azure_ad_registered,
         device_registration_state, eas_activated, eas_device_id, eas_device_id_key, compliance_state, compliance_grace_expires_at,
         management_agent, last_sync_at, operating_system, model, device_name, missing_refreshes, refreshed_at)
       select x.*, 0, $2::timestamptz
       from json_to_recordset($1::json) as x(id text, user_id text, user_principal_name text, azure_ad_device_id text,
         azure_ad_registered boolean, device_registration_state text, eas_activated boolean, eas_device_id text,
         eas_device_id_key text, compliance_state text, compliance_grace_expires_at timestamptz, management_agent text,
         last_sync_at timestamptz, operating_system text, model text, device_name text)
       on conflict (id) do update set user_id = excluded.user_id, user_principal_name = excluded.user_principal_name,
         azure_ad_device_id = excluded.azure_ad_device_id, azure_ad_registered = excluded.azure_ad_registered,
         device_registration_state = excluded.device_registration_state, eas_activated = excluded.eas_activated,
         eas_device_id = excluded.eas_device_id, eas_device_id_key = excluded.eas_device_id_key,
         compliance_state = excluded.compliance_state, compliance_grace_expires_at = excluded.compliance_grace_expires_at,
         management_agent = excluded.management_agent, last_sync_at = excluded.last_sync_at, operating_system = excluded.operating_system, model = excluded.model,
         device_name = excluded.device_name, missing_refreshes = 0, refreshed_at = excluded.refreshed_at
       where stored.refreshed_at <= excluded.refreshed_at`,
      [storableJson(o.devices.slice(from, from + CHUNK_ROWS)), o.refreshedAt],
    )
  }
}

/**
 * Notes that a complete read of these users, which began at `refreshedAt`, lacks these devices of theirs. It counts as one
 * missing read however often it is repeated: the next full refresh is to confirm it.
 */
export async function countMissingOfUsers(
  pool: Store['pool'],
  o: { userIds: readonly string[]; refreshedAt: Date },
): Promise<number> {
  const { rowCount } = await pool.query(
    `update managed_devices set missing_refreshes = greatest(missing_refreshes, 1)
     where user_id = any ($1::text[]) and refreshed_at < $2::timestamptz`,
    [o.userIds, o.refreshedAt],
  )
  return rowCount ?? 0
}

/** The users whose managed devices these are, by what is stored. */
export async function readUsersOfDevices(pool: Store['pool'], azureAdDeviceIds: readonly string[]): Promise<string[]> {
  const { rows } = await pool.query<{ user_id: string }>(
    "select distinct user_id from managed_devices where azure_ad_device_id = any ($1::text[]) and user_id <> ''",
    [azureAdDeviceIds],
  )
  return rows.map((row) => row.user_id)
}

/**
 * Users who have enrolled a device and are blocked because their mail is not bound to it yet. The change feed of Entra says
 * nothing when a user opens the mail app and Intune learns the EAS id, so these few are asked about again. Newest blocks first.
 */
export async function readWaitingUsers(pool: Store['pool'], limit: number): Promise<string[]> {
  const { rows } = await pool.query<{ user_id: string }>(
    `select u.id as user_id
     from decisions d
     join mailboxes m on m.id = d.mailbox_id and m.vanished_at is null
     join directory_users u on lower(u.user_principal_name) = lower(m.primary_smtp_address)
     where d.reason in ('not-enrolled', 'eas-id-not-activated', 'not-registered')
       and exists (select from managed_devices i where i.user_id = u.id and i.missing_refreshes = 0
         and (i.eas_device_id_key = '' or not i.eas_activated or not i.azure_ad_registered))
     group by u.id order by max(d.decision_version) desc limit $1`,
    [limit],
  )
  return rows.map((row) => row.user_id)
}
