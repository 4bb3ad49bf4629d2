export { type Decision, decide } from './decide.ts'
export type { AccessLevel, DecisionInput, MailboxUser, ManagedDeviceFacts, PlatformException } from './decision-input.ts'
export { easIdKey } from './judge-managed-devices.ts'
export { DECISION_REASONS, type DecisionReason, explain } from './reasons.ts'
