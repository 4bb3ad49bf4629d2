import { AccessChanged } from './access-changed.ts'
import { ComplianceLookupDecideMailbox } from './compliance-lookup-decide-mailbox.ts'
import { ComplianceLookupRefresh } from './compliance-lookup-refresh.ts'
import { DiscoverySync } from './discovery-sync.ts'
import { EnforcementActOnDevice } from './enforcement-act-on-device.ts'
import { EnforcementReconcileOrganization } from './enforcement-reconcile-organization.ts'
import { MailboxDecided } from './mailbox-decided.ts'
import { MailboxObserved } from './mailbox-observed.ts'
import { NotificationSendNotice } from './notification-send-notice.ts'
import { PolicyChanged } from './policy-changed.ts'
import { SyncProgressed } from './sync-progressed.ts'

/** `command`: work for one owner, by the command exchange. `event`: a fact for whoever cares, by the event exchange. */
export type MessageKind = 'command' | 'event'

/**
 * Every message on the wire by its type: its schema, its kind and the middle of its routing key.
 * Commands are `<service>.<verb>`, events `<entity>.<fact>`.
 */
export const MESSAGES = {
  'discovery.sync': { schema: DiscoverySync, kind: 'command' },
  'compliance-lookup.refresh': { schema: ComplianceLookupRefresh, kind: 'command' },
  'compliance-lookup.decide-mailbox': { schema: ComplianceLookupDecideMailbox, kind: 'command' },
  'enforcement.reconcile-organization': { schema: EnforcementReconcileOrganization, kind: 'command' },
  'enforcement.act-on-device': { schema: EnforcementActOnDevice, kind: 'command' },
  'notification.send-notice': { schema: NotificationSendNotice, kind: 'command' },
  'mailbox.observed': { schema: MailboxObserved, kind: 'event' },
  'mailbox.decided': { schema: MailboxDecided, kind: 'event' },
  'access.changed': { schema: AccessChanged, kind: 'event' },
  'policy.changed': { schema: PolicyChanged, kind: 'event' },
  'sync.progressed': { schema: SyncProgressed, kind: 'event' },
} as const

export type MessageType = keyof typeof MESSAGES
export type MessageOf<T extends MessageType> = ReturnType<(typeof MESSAGES)[T]['schema']['parse']>
export type Message = { [T in MessageType]: MessageOf<T> }[MessageType]

/** Tells whether a text names a message this build knows. */
export function isMessageType(type: string): type is MessageType {
  return Object.hasOwn(MESSAGES, type)
}
