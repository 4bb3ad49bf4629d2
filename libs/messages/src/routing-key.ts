import { isMessageType, MESSAGES, type MessageType } from './catalogue.ts'

/** `urgent`: one user waits for it. `bulk`: everything a whole sync causes. Whatever a message causes inherits its lane. */
export type Lane = 'bulk' | 'urgent'
export const LANES = ['urgent', 'bulk'] as const satisfies readonly Lane[]

/** `<lane>.<type>.v<major>`, where the type is `<service>.<verb>` of a command or `<entity>.<fact>` of an event. */
export function routingKeyOf(lane: Lane, type: MessageType): string {
  return `${lane}.${type}.v${MESSAGES[type].schema.shape.version.value}`
}

/** The parts of a routing key of ours, or undefined for any other text. */
export function parseRoutingKey(key: string): { lane: Lane; type: MessageType; version: number } | undefined {
  const match = /^(bulk|urgent)\.([a-z-]+\.[a-z-]+)\.v(\d{1,4})$/.exec(key)
  if (match === null) return undefined
  const [, lane, type, version] = match
  if (type === undefined || !isMessageType(type)) return undefined
  return { lane: lane as Lane, type, version: Number(version) }
}
