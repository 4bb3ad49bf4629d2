import { MESSAGES, type MessageType } from '@gatehouse/messages'

/** The workers that own an inbox. */
export const SERVICE_NAMES = ['control', 'discovery', 'compliance-lookup', 'enforcement', 'notification'] as const
export type ServiceName = (typeof SERVICE_NAMES)[number]

/** Who handles which event. A command needs no row: the first word of its type is its owner. */
export const EVENT_HANDLERS = {
  'mailbox.observed': ['compliance-lookup'],
  'mailbox.decided': ['enforcement'],
  // Not control: it counts a run from the store, and an event for every write would cost a good part of the broker's time.
  'access.changed': ['notification'],
  'policy.changed': ['compliance-lookup'],
  'sync.progressed': ['control'],
} as const satisfies { readonly [T in MessageType]?: readonly ServiceName[] }

/** The services whose inboxes take messages of this type. */
export function handlersOf(type: MessageType): readonly ServiceName[] {
  const services: { readonly [T in MessageType]?: readonly ServiceName[] } = EVENT_HANDLERS
  if (MESSAGES[type].kind === 'event') return services[type] ?? []
  return SERVICE_NAMES.filter((service) => type.startsWith(`${service}.`))
}

/** Who may send which message; control may send any, since it replays dead letters. */
export const SENDERS: { readonly [T in MessageType]: readonly ServiceName[] } = {
  'discovery.sync': ['control'],
  'compliance-lookup.refresh': ['control'],
  'compliance-lookup.decide-mailbox': ['control', 'compliance-lookup'],
  'enforcement.reconcile-organization': ['control'],
  'enforcement.act-on-device': ['control'],
  'notification.send-notice': ['control', 'notification'],
  'mailbox.observed': ['control', 'discovery'],
  'mailbox.decided': ['control', 'compliance-lookup'],
  'access.changed': ['control', 'enforcement'],
  'policy.changed': ['control'],
  'sync.progressed': SERVICE_NAMES,
}
