import type { DeviceCase } from './device-case.ts'
import { controlCharacterText, hostileTexts } from './hostile-texts.ts'
import type { Handset } from './invent-handset.ts'
import { escapeRdn, toTime } from './invent-mailbox.ts'
import { modelBlockedByRule, typeAllowedByRule } from './invent-organization.ts'
import type { PopulationMailbox, PopulationPartnership } from './population.ts'
import type { SeededRandom } from './seeded-random.ts'

/** `oddity` counts the devices that call themselves something nasty; undefined for an ordinary one. */
export function inventPartnership(
  random: SeededRandom,
  mailbox: PopulationMailbox,
  options: { handset: Handset; deviceCase: DeviceCase; oddity: number | undefined; keepsModel: boolean },
): PopulationPartnership {
  const handset = withOddity({ ...options.handset }, options.oddity)
  if (options.keepsModel) handset.deviceModel = options.handset.deviceModel
  if (options.deviceCase.rule === 'blocks-model') handset.deviceModel = modelBlockedByRule
  if (options.deviceCase.rule === 'allows-type') handset.deviceType = typeAllowedByRule
  const name = `${handset.deviceType}§${handset.deviceId}`
  const firstSyncTime = toTime(random, 2022, 4)
  return {
    guid: random.guid(),
    deviceId: handset.deviceId,
    deviceType: handset.deviceType,
    deviceModel: handset.deviceModel,
    deviceOs: handset.deviceOs,
    deviceOsLanguage: random.pick(['en', 'en-GB', 'fr', 'de', 'pl', 'ar']),
    deviceImei: handset.hasSim && random.chance(0.4) ? random.digits(15) : null,
    deviceTelephoneNumber: handset.hasSim && random.chance(0.2) ? `******${random.digits(4)}` : null,
    deviceMobileOperator: handset.hasSim && random.chance(0.3) ? random.pick(['Orange F', 'T-Mobile', 'Vodafone']) : null,
    userAgent: handset.userAgent,
    friendlyName: handset.friendlyName,
    clientType: 'EAS',
    clientVersion: random.pick(['14.1', '16.0', '16.1']),
    firstSyncTime,
    whenCreatedUtc: firstSyncTime,
    whenChangedUtc: toTime(random, 2026, 0.8),
    identity: `${mailbox.canonicalName}/ExchangeActiveSyncDevices/${name.replace(/[\\/]/g, '\\$&')}`,
    name,
    distinguishedName: `CN=${escapeRdn(name)},CN=ExchangeActiveSyncDevices,${mailbox.distinguishedName}`,
    isInDeviceDiscovery: options.deviceCase.isInDeviceDiscovery,
  }
}

export const oddityCount = 2 * hostileTexts.length + 2

function withOddity(handset: Handset, oddity: number | undefined): Handset {
  if (oddity === undefined) return handset
  const turn = oddity % oddityCount
  const text = hostileTexts[turn % hostileTexts.length] as string
  if (turn === oddityCount - 2) return { ...handset, userAgent: `Apple-iPhone/${'1234567890'.repeat(50)}`.slice(0, 500) }
  if (turn === oddityCount - 1) return { ...handset, friendlyName: controlCharacterText }
  if (turn < hostileTexts.length) return { ...handset, friendlyName: text }
  return { ...handset, deviceModel: text, friendlyName: text, userAgent: `${text}/1.0` }
}
