import type { DecisionInput, ManagedDeviceFacts } from './decision-input.ts'
import type { DecisionReason } from './reasons.ts'

export type Verdict = { readonly isAcceptable: boolean; readonly reason: DecisionReason }

/** An EAS id as it is compared: trimmed and without case (Exchange and Intune differ in both). */
export function easIdKey(id: string): string {
  return id.trim().toLowerCase()
}

/**
 * What Intune says about the partnership. A managed device counts only with the partnership's EAS id **and** the mailbox's
 * user: an id is whatever a phone says it is. A re-enrolment leaves the old record of a phone behind, so of several the one
 * that Intune heard from last counts; of equally new ones the least favourable.
 */
export function judgeManagedDevices(input: DecisionInput, userId: string): Verdict {
  const key = easIdKey(input.device.deviceId)
  // A record of agent `eas` comes from the old connector and is no enrolment.
  const sameId = input.managedDevices.filter((one) => easIdKey(one.easDeviceId) === key && one.managementAgent !== 'eas')
  const own = sameId.filter((one) => easIdKey(one.userId) === easIdKey(userId))
  const newest = Math.max(...own.map((one) => one.lastSyncDateTime?.getTime() ?? 0))
  const current = own.filter((one) => (one.lastSyncDateTime?.getTime() ?? 0) === newest)
  if (current.length > 0) return current.map((one) => judge(one, input)).reduce(worse)
  return { isAcceptable: false, reason: sameId.length === 0 ? 'not-enrolled' : 'device-of-another-user' }
}

/** From the one that is furthest from access to the one that is nearest. */
const NEARNESS: readonly DecisionReason[] = [
  'eas-id-not-activated',
  'not-registered',
  'compliance-error',
  'compliance-conflict',
  'noncompliant',
  'grace-period-expired',
  'compliance-unknown',
  'compliance-unknown-accepted',
  'in-grace-period',
  'compliant',
]

function worse(a: Verdict, b: Verdict): Verdict {
  return NEARNESS.indexOf(b.reason) < NEARNESS.indexOf(a.reason) ? b : a
}

function judge(device: ManagedDeviceFacts, input: DecisionInput): Verdict {
  if (!device.easActivated) return { isAcceptable: false, reason: 'eas-id-not-activated' }
  if (!device.azureAdRegistered || device.deviceRegistrationState !== 'registered')
    return { isAcceptable: false, reason: 'not-registered' }
  return judgeCompliance(device, input)
}

/** complianceState of managedDevice; severity order and grace as Intune documents them. What is not known to us is not acceptable. */
function judgeCompliance(device: ManagedDeviceFacts, { policy, now }: DecisionInput): Verdict {
  switch (device.complianceState) {
    case 'compliant':
      return { isAcceptable: true, reason: 'compliant' }
    case 'inGracePeriod': {
      const isOver = device.complianceGraceExpiresAt !== null && device.complianceGraceExpiresAt <= now
      return isOver
        ? { isAcceptable: false, reason: 'grace-period-expired' }
        : { isAcceptable: true, reason: 'in-grace-period' }
    }
    case 'noncompliant':
      return { isAcceptable: false, reason: 'noncompliant' }
    case 'conflict':
      return { isAcceptable: false, reason: 'compliance-conflict' }
    case 'unknown':
    case 'configManager':
      return policy.unknownCompliance === 'compliant'
        ? { isAcceptable: true, reason: 'compliance-unknown-accepted' }
        : { isAcceptable: false, reason: 'compliance-unknown' }
    default:
      return { isAcceptable: false, reason: 'compliance-error' }
  }
}
