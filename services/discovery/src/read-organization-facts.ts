import type { Exchange } from '@gatehouse/exchange'
import { storeDeviceClasses, storeExchangeServers } from '@gatehouse/store'
import type { DiscoveryDeps, Organization } from './discovery-deps.ts'

type Facts = { exchange: Exchange; organization: Organization; observedAt: Date; deps: DiscoveryDeps; signal: AbortSignal }

/** The servers of the organisation: what version it runs, and where to turn when one is dead. */
export async function readServers({
  exchange,
  organization,
  observedAt,
  deps,
  signal,
}: Facts): Promise<Record<string, number>> {
  const { servers } = await exchange.readExchangeServers(signal)
  await storeExchangeServers(deps.pool, {
    organizationId: organization.id,
    observedAt,
    servers: servers.map((server) => ({
      fqdn: server.fqdn,
      name: server.name,
      admin_display_version: server.adminDisplayVersion,
      is_client_access_server: server.isClientAccessServer,
    })),
  })
  return { servers: servers.length }
}

/** The catalogue of device classes, and the settings that decide about devices before we do; those are only logged. */
export async function readSettings({
  exchange,
  organization,
  observedAt,
  deps,
  signal,
}: Facts): Promise<Record<string, number>> {
  const { classes } = await exchange.readDeviceClasses(signal)
  await storeDeviceClasses(deps.pool, {
    organizationId: organization.id,
    observedAt,
    classes: classes.map((each) => ({ device_type: each.deviceType, device_model: each.deviceModel })),
  })
  const settings = await exchange.readOrganizationSettings(signal)
  const { rules } = await exchange.readDeviceAccessRules(signal)
  const { policies } = await exchange.readMailboxPolicies(signal)
  const refusing = policies.filter((policy) => policy.allowNonProvisionableDevices === false).map((policy) => policy.name)
  deps.log.info(
    { organizationId: organization.id, defaultAccessLevel: settings.defaultAccessLevel, rules: rules.length, refusing },
    'Read the organisation settings of Exchange; a device that fails one of the refusing mailbox policies is blocked whatever we allow',
  )
  return { deviceClasses: classes.length, accessRules: rules.length, mailboxPolicies: policies.length }
}
