import type { DeviceCase } from './device-case.ts'
import type { Handset } from './invent-handset.ts'
import { toTime } from './invent-mailbox.ts'
import type { ComplianceState, EntraDevice, EntraUser, ManagedDeviceRow } from './population.ts'
import type { SeededRandom } from './seeded-random.ts'

/** Graph's way of saying "never": in every date nobody has set. */
const never = '0001-01-01T00:00:00Z'
const noGracePeriod = '9999-12-31T23:59:59Z'
const inFarFuture = '2036-01-01T00:00:00Z'

/** What Intune knows of a handset. `easDeviceId` '' for a device that Exchange never met. */
export function inventManagedDevice(
  random: SeededRandom,
  options: { user: EntraUser; handset: Handset; easDeviceId: string; deviceCase: DeviceCase },
): ManagedDeviceRow {
  const { user, handset, deviceCase } = options
  const isRegistered = deviceCase.isRegistered
  return {
    id: random.guid(),
    userId: user.id,
    userPrincipalName: user.userPrincipalName,
    userDisplayName: user.displayName,
    emailAddress: user.mail ?? '',
    deviceName: handset.intune.deviceName,
    operatingSystem: handset.intune.operatingSystem,
    osVersion: handset.intune.osVersion,
    model: handset.intune.model,
    manufacturer: handset.intune.manufacturer,
    serialNumber: random.upperAlphanumeric(12),
    imei: handset.hasSim ? random.digits(15) : '',
    enrolledDateTime: toTime(random, 2023, 3),
    lastSyncDateTime: toTime(random, 2026, 0.8),
    complianceState: deviceCase.complianceState,
    complianceGracePeriodExpirationDateTime: deviceCase.complianceState === 'inGracePeriod' ? inFarFuture : noGracePeriod,
    managementAgent:
      deviceCase.complianceState === 'configManager' ? 'configurationManagerClientMdm' : handset.intune.managementAgent,
    managedDeviceOwnerType: random.chance(0.6) ? 'company' : 'personal',
    deviceRegistrationState: isRegistered ? 'registered' : 'notRegistered',
    azureADRegistered: isRegistered,
    azureADDeviceId: isRegistered ? random.guid() : '00000000-0000-0000-0000-000000000000',
    easActivated: deviceCase.easActivated && options.easDeviceId !== '',
    easDeviceId: options.easDeviceId,
    easActivationDateTime: deviceCase.easActivated && options.easDeviceId !== '' ? toTime(random, 2023, 3) : never,
  }
}

/** The Entra twin of a registered managed device. */
export function inventEntraDevice(random: SeededRandom, row: ManagedDeviceRow): EntraDevice {
  return {
    id: random.guid(),
    deviceId: row.azureADDeviceId,
    displayName: row.deviceName,
    operatingSystem: row.operatingSystem === 'iOS' ? 'IPhone' : row.operatingSystem,
    operatingSystemVersion: row.osVersion,
    isCompliant: isCompliantInEntra(row.complianceState),
    isManaged: true,
    accountEnabled: true,
    trustType: row.operatingSystem === 'Windows' ? 'AzureAd' : 'Workplace',
  }
}

/** Entra counts the grace period as compliant. */
export function isCompliantInEntra(state: ComplianceState): boolean {
  return state === 'compliant' || state === 'inGracePeriod'
}

/** How Graph writes the id Exchange has. */
export function toGraphDeviceId(deviceId: string, how: DeviceCase['graphId']): string {
  if (how === 'padded') return ` ${deviceId}  `
  if (how === 'same') return deviceId
  const lower = deviceId.toLowerCase()
  return lower === deviceId ? deviceId.toUpperCase() : lower
}
