import type { Population, PopulationPartnership, Truth } from '../population/population.ts'
import { newGuid, type Organization } from './organization/organization.ts'

/** What an administrator, a phone or a test does behind Gatehouse's back. `mailbox` and `device` are guids. */
export type OrganizationChange =
  | { action: 'set-lists'; mailbox: string; allowed?: string[]; blocked?: string[] }
  | { action: 'add-device'; mailbox: string; device: Partial<PopulationPartnership> & { deviceId: string }; truth?: Truth }
  | { action: 'remove-device'; device: string }
  | { action: 'set-default-access-level'; level: 'Allow' | 'Block' | 'Quarantine' }
  | { action: 'set-truth'; device: string; truth: Truth }

/** Makes the changes in order. Throws an Error that names the first one it does not understand; those before it are made. */
export function changeOrganization(o: { organization: Organization; population: Population; changes: unknown }): void {
  const changes = Array.isArray(o.changes) ? o.changes : [o.changes]
  for (const change of changes as OrganizationChange[]) makeChange(o.organization, o.population, change)
}

function makeChange(organization: Organization, population: Population, change: OrganizationChange): void {
  switch (change?.action) {
    case 'set-lists':
      organization.setLists(mailboxOf(organization, change.mailbox), change)
      return
    case 'add-device':
      addDevice(organization, population, change)
      return
    case 'remove-device':
      organization.removeDevice(deviceOf(organization, change.device))
      return
    case 'set-default-access-level':
      organization.settings.defaultAccessLevel = change.level
      organization.revision += 1
      return
    case 'set-truth':
      population.truth.set(deviceOf(organization, change.device).source.guid, change.truth)
      return
    default:
      throw new Error(`Unknown change: ${JSON.stringify(change)}`)
  }
}

function addDevice(
  organization: Organization,
  population: Population,
  change: Extract<OrganizationChange, { action: 'add-device' }>,
): void {
  const mailbox = mailboxOf(organization, change.mailbox)
  const type = change.device.deviceType ?? 'iPhone'
  const name = `${type}§${change.device.deviceId}`
  const now = new Date().toISOString()
  const source: PopulationPartnership = {
    guid: newGuid(),
    deviceType: type,
    deviceModel: 'iPhone15C4',
    deviceOs: 'iOS 19.1 23B74',
    deviceOsLanguage: 'en',
    deviceImei: null,
    deviceTelephoneNumber: null,
    deviceMobileOperator: null,
    userAgent: 'Apple-iPhone15C4/2302.74',
    friendlyName: null,
    clientType: 'EAS',
    clientVersion: '16.1',
    firstSyncTime: now,
    whenCreatedUtc: now,
    whenChangedUtc: now,
    identity: `${mailbox.source.canonicalName}/ExchangeActiveSyncDevices/${name}`,
    name,
    distinguishedName: `CN=${name},CN=ExchangeActiveSyncDevices,${mailbox.source.distinguishedName}`,
    isInDeviceDiscovery: false,
    ...change.device,
  }
  organization.addDevice(mailbox, source)
  if (change.truth !== undefined) population.truth.set(source.guid, change.truth)
}

function mailboxOf(organization: Organization, identity: string) {
  const [mailbox] = organization.mailboxIndex.find(String(identity))
  if (mailbox === undefined) throw new Error(`No mailbox ${identity}`)
  return mailbox
}

function deviceOf(organization: Organization, identity: string) {
  const [device] = organization.deviceIndex.find(String(identity))
  if (device === undefined) throw new Error(`No device ${identity}`)
  return device
}
