import type { Store } from './create-database.ts'
import { storableJson } from './storable-json.ts'

export type ObservedServer = { fqdn: string; name: string; admin_display_version: string; is_client_access_server: boolean }

/** Makes the organisation's list of servers the one that was read. */
export async function storeExchangeServers(
  pool: Store['pool'],
  o: { organizationId: string; observedAt: Date; servers: readonly ObservedServer[] },
): Promise<void> {
  await pool.query(
    `with listed as (
       select * from json_to_recordset($1::json) as x(fqdn text, name text, admin_display_version text, is_client_access_server boolean)
     ), removed as (
       delete from exchange_servers where organization_id = $2::uuid and fqdn not in (select fqdn from listed)
     )
     insert into exchange_servers (organization_id, fqdn, name, admin_display_version, is_client_access_server, observed_at)
     select distinct on (fqdn) $2::uuid, fqdn, name, admin_display_version, is_client_access_server, $3::timestamptz from listed
     on conflict (organization_id, fqdn) do update set name = excluded.name, admin_display_version = excluded.admin_display_version,
       is_client_access_server = excluded.is_client_access_server, observed_at = excluded.observed_at`,
    [storableJson(o.servers), o.organizationId, o.observedAt],
  )
}

/** Full names of the servers that answer clients. */
export async function readClientAccessServers(pool: Store['pool'], organizationId: string): Promise<string[]> {
  const { rows } = await pool.query<{ fqdn: string }>(
    'select fqdn from exchange_servers where organization_id = $1 and is_client_access_server order by fqdn',
    [organizationId],
  )
  return rows.map(({ fqdn }) => fqdn)
}
