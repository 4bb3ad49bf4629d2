import type { Store } from './create-database.ts'
import type { AccessLevel } from './schema.ts'

/** What enforcement must know before it touches the settings of a whole organisation. */
export type OrganizationToReconcile = {
  report_only: boolean
  epoch: number
  manage_organization_settings: boolean
  default_access_level: AccessLevel
  exceptions: { characteristic: 'DeviceType' | 'DeviceModel'; queryString: string; accessLevel: AccessLevel }[]
}

/** Undefined until control has stored the organisation, its connector and its policy. */
export async function readOrganizationToReconcile(
  pool: Store['pool'],
  organizationId: string,
): Promise<OrganizationToReconcile | undefined> {
  const { rows } = await pool.query<OrganizationToReconcile>(
    `select o.report_only, c.epoch, p.manage_organization_settings, p.default_access_level,
       (select coalesce(json_agg(json_build_object('characteristic', e.characteristic, 'queryString', e.query_string,
          'accessLevel', e.access_level)), '[]') from platform_exceptions e where e.organization_id = o.id) as exceptions
     from organizations o
     join connectors c on c.organization_id = o.id
     join organization_policies p on p.organization_id = o.id
     where o.id = $1`,
    [organizationId],
  )
  return rows[0]
}

/** The epoch of the organisation's active connector, undefined until control has stored one. */
export async function readConnectorEpoch(pool: Store['pool'], organizationId: string): Promise<number | undefined> {
  const { rows } = await pool.query<{ epoch: number }>('select epoch from connectors where organization_id = $1', [
    organizationId,
  ])
  return rows[0]?.epoch
}
