/** Why a device is decided as it is, each with the sentence that an administrator reads. */
const SENTENCES = {
  'policy-disabled': 'The access policy is switched off, so the rules of Exchange apply',
  'user-not-found':
    "No user in the policy's groups has the address of this mailbox as user name or mail, so the rules of Exchange apply",
  'user-ambiguous': 'Several users in Entra have the address of this mailbox, so the rules of Exchange apply',
  'user-excluded': 'The user is in an excluded group, which wins over every included one; the rules of Exchange apply',
  'user-not-targeted': 'The user is in no group that the policy includes, so the rules of Exchange apply',
  'user-not-licensed': 'The user has no Intune licence, so the rules of Exchange apply',
  'admin-exemption':
    "An administrator has put this device into the mailbox's lists by hand; that outranks the policy and is not touched",
  'device-id-missing':
    'Exchange shows no ActiveSync id for this device, so nothing can be said about it; the rules of Exchange apply',
  'not-enrolled': 'No device enrolled in Intune has this ActiveSync id',
  'device-of-another-user': 'The device enrolled in Intune with this ActiveSync id belongs to another user',
  'eas-id-not-activated': 'The device is enrolled, but its e-mail is not activated: its ActiveSync id is not bound',
  'not-registered': 'The device is enrolled, but not registered in Entra',
  noncompliant: 'The device is enrolled, but does not comply with its compliance policy',
  'compliance-conflict': 'The device is enrolled, but its compliance policies contradict each other',
  'compliance-error': 'The device is enrolled, but Intune could not evaluate its compliance',
  'compliance-unknown':
    'The device is enrolled, but Intune has not evaluated its compliance; the policy counts that as noncompliant',
  'grace-period-expired': 'The device does not comply, and its grace period is over',
  compliant: 'The device is enrolled and compliant',
  'in-grace-period': 'The device does not comply, but is still in its grace period',
  'compliance-unknown-accepted':
    'The device is enrolled; Intune has not evaluated its compliance, which the policy counts as compliant',
  'default-rule-applies':
    'The device is enrolled and compliant; the policy does not override the rules of Exchange, so they apply',
} as const

export type DecisionReason = keyof typeof SENTENCES

export const DECISION_REASONS = Object.keys(SENTENCES) as readonly DecisionReason[]

/** The administrator's sentence for a reason; the reason itself when it is one of a newer build. */
export function explain(reason: string): string {
  return Object.hasOwn(SENTENCES, reason) ? SENTENCES[reason as DecisionReason] : reason
}
