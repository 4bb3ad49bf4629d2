import type { AccessLevel, DecisionInput, MailboxUser } from './decision-input.ts'
import { easIdKey, judgeManagedDevices } from './judge-managed-devices.ts'
import type { DecisionReason } from './reasons.ts'

export type Decision = {
  /** The access that follows: from our exemption, or from what applies without one. */
  readonly access: AccessLevel
  /** What we want in the mailbox's lists for this device. `none` also takes back what we put there earlier. */
  readonly exemption: 'allow' | 'block' | 'none'
  readonly reason: DecisionReason
}

/**
 * Decides one device partnership, as the flow chart of the original connector does: untargeted and excluded users are never
 * touched, an administrator's exemption stands, then enrolled, bound, compliant, and last the override of the default rule.
 * Pure, and the order of its inputs does not matter.
 */
export function decide(input: DecisionInput): Decision {
  const untouched = (reason: DecisionReason): Decision => ({ access: accessWithoutUs(input), exemption: 'none', reason })
  if (!input.policy.enabled) return untouched('policy-disabled')
  const { user } = input
  if (user.found !== 'one') return untouched(user.found === 'none' ? 'user-not-found' : 'user-ambiguous')
  const outside = whyOutsidePolicy(user)
  if (outside !== undefined) return untouched(outside)
  if (input.adminExemption !== undefined) return untouched('admin-exemption')
  // An empty id in a list would speak of no device, and an empty argument must never reach Exchange.
  if (easIdKey(input.device.deviceId) === '') return untouched('device-id-missing')
  const { isAcceptable, reason } = judgeManagedDevices(input, user.id)
  if (!isAcceptable) return { access: 'block', exemption: 'block', reason }
  if (!input.policy.overrideDefaultRule) return untouched('default-rule-applies')
  return { access: 'allow', exemption: 'allow', reason }
}

function whyOutsidePolicy(user: Extract<MailboxUser, { found: 'one' }>): DecisionReason | undefined {
  if (user.excluded) return 'user-excluded'
  if (!user.included) return 'user-not-targeted'
  return user.licensed ? undefined : 'user-not-licensed'
}

/** Exchange's own order: personal exemption, then rules (block before quarantine before allow), then the default. */
function accessWithoutUs({ adminExemption, device, organization }: DecisionInput): AccessLevel {
  if (adminExemption !== undefined) return adminExemption
  const matching = organization.platformExceptions.filter(
    (rule) =>
      (rule.characteristic === 'DeviceType' ? device.deviceType : device.deviceModel).toLowerCase() ===
      rule.queryString.toLowerCase(),
  )
  const levels = new Set(matching.map((rule) => rule.accessLevel))
  for (const level of ['block', 'quarantine', 'allow'] as const) if (levels.has(level)) return level
  return organization.defaultAccessLevel
}
