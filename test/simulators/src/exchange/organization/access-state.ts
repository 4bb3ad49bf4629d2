import type { PopulationPartnership } from '../../population/population.ts'
import { holdsDeviceId } from './device-id.ts'

export type AccessLevel = 'Allow' | 'Block' | 'Quarantine'
export type AccessState = 'Allowed' | 'Blocked' | 'Quarantined' | 'DeviceDiscovery'

export type AccessRule = { name: string; characteristic: string; queryString: string; accessLevel: AccessLevel }

export type AccessSituation = {
  device: PopulationPartnership
  activeSyncEnabled: boolean
  allowed: readonly string[]
  blocked: readonly string[]
  rules: readonly AccessRule[]
  defaultAccessLevel: AccessLevel
  isInDiscovery: boolean
}

export type AccessVerdict = { state: AccessState; reason: string; rule: string | null }

const STATES: Record<AccessLevel, AccessState> = { Allow: 'Allowed', Block: 'Blocked', Quarantine: 'Quarantined' }
const RULE_ORDER: AccessLevel[] = ['Block', 'Quarantine', 'Allow']

/** Exchange's own order (TechNet ff959225): mailbox, personal exemptions, device rules, organisation default. */
export function accessVerdictOf(situation: AccessSituation): AccessVerdict {
  const { device } = situation
  if (!situation.activeSyncEnabled) return { state: 'Blocked', reason: 'Policy', rule: null }
  if (holdsDeviceId(situation.blocked, device.deviceId)) return { state: 'Blocked', reason: 'Individual', rule: null }
  if (holdsDeviceId(situation.allowed, device.deviceId)) return { state: 'Allowed', reason: 'Individual', rule: null }
  if (situation.isInDiscovery) return { state: 'DeviceDiscovery', reason: 'Global', rule: null }
  for (const level of RULE_ORDER) {
    const rule = situation.rules.find((each) => each.accessLevel === level && matches(each, device))
    if (rule !== undefined) return { state: STATES[level], reason: 'DeviceRule', rule: rule.name }
  }
  return { state: STATES[situation.defaultAccessLevel], reason: 'Global', rule: null }
}

function matches(rule: AccessRule, device: PopulationPartnership): boolean {
  const value = characteristicOf(device, rule.characteristic)
  return value !== undefined && value.toLowerCase() === rule.queryString.toLowerCase()
}

function characteristicOf(device: PopulationPartnership, characteristic: string): string | undefined {
  if (characteristic === 'DeviceType') return device.deviceType
  if (characteristic === 'DeviceModel') return device.deviceModel
  if (characteristic === 'DeviceOS') return device.deviceOs
  if (characteristic === 'UserAgent') return device.userAgent
  return undefined
}
