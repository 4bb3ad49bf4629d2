import { type Kysely, sql } from 'kysely'
import type { ConnectorStatus, Database, ProblemJson, Row, SyncType } from './schema.ts'

/** Stores the connector of an organisation unless it has one; an existing one keeps its epoch (only a replacement raises it). */
export async function insertConnector(db: Kysely<Database>, organizationId: string, at: Date): Promise<void> {
  await db
    .insertInto('connectors')
    .values({ organization_id: organizationId, epoch: 1, status: 'none', updated_at: at })
    .onConflict((conflict) => conflict.column('organization_id').doNothing())
    .execute()
}

/** A connector with the name and mode of its organisation. */
export type ConnectorView = Row<'connectors'> & { name: string; report_only: boolean }

export async function readConnectors(db: Kysely<Database>, organizationId?: string): Promise<ConnectorView[]> {
  return await db
    .selectFrom('connectors')
    .innerJoin('organizations', 'organizations.id', 'connectors.organization_id')
    .selectAll('connectors')
    .select(['organizations.name', 'organizations.report_only'])
    .$if(organizationId !== undefined, (query) => query.where('organizations.id', '=', organizationId ?? ''))
    .orderBy('organizations.name')
    .execute()
}

/** Notes that the organisation's Exchange answered (`connected`) or did not, with the server and version last seen. */
export async function setConnectorStatus(
  db: Kysely<Database>,
  organizationId: string,
  to: { status: ConnectorStatus; problem?: ProblemJson; connectorServerName?: string; exchangeHost?: string; at: Date },
): Promise<void> {
  await db
    .updateTable('connectors')
    .set({
      status: to.status,
      problem: to.problem === undefined ? null : JSON.stringify(to.problem),
      updated_at: to.at,
      ...(to.connectorServerName === undefined ? {} : { connector_server_name: to.connectorServerName }),
    })
    .where('organization_id', '=', organizationId)
    .execute()
  if (to.exchangeHost === undefined) return
  await sql`
    update connectors set server_name = seen.fqdn, exchange_version = seen.admin_display_version
    from (select fqdn, admin_display_version from exchange_servers where organization_id = ${organizationId}
          order by (lower(fqdn) = lower(${to.exchangeHost})) desc, is_client_access_server desc, fqdn limit 1) seen
    where organization_id = ${organizationId}`.execute(db)
}

/** Says that a connection is being tried, of a connector that has never been connected. */
export async function setConnectionPending(db: Kysely<Database>, organizationId: string, at: Date): Promise<void> {
  await db
    .updateTable('connectors')
    .set({ status: 'connectionPending', updated_at: at })
    .where('organization_id', '=', organizationId)
    .where('status', '=', 'none')
    .execute()
}

/** Notes a sync that has succeeded. */
export async function setLastSync(db: Kysely<Database>, organizationId: string, syncType: SyncType, at: Date): Promise<void> {
  await db
    .updateTable('connectors')
    .set({
      last_sync_at: at,
      updated_at: at,
      ...(syncType === 'fullSync' ? { last_full_sync_at: at } : { last_delta_sync_at: at }),
    })
    .where('organization_id', '=', organizationId)
    .execute()
}

/** The connectors of organisations that are no longer in the settings: nothing connects them. */
export async function retireConnectors(db: Kysely<Database>, organizationIds: readonly string[], at: Date): Promise<void> {
  await db
    .updateTable('connectors')
    .set({ status: 'none', updated_at: at })
    .where('organization_id', 'not in', organizationIds.length === 0 ? [NO_ID] : organizationIds)
    .where('status', '<>', 'none')
    .execute()
}

const NO_ID = '00000000-0000-0000-0000-000000000000'
