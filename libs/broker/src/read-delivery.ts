import { isMessageType, MESSAGES, type Message } from '@gatehouse/messages'

export type ReadDelivery =
  | { readonly kind: 'message'; readonly message: Message }
  | { readonly kind: 'unknown'; readonly reason: 'unknown-type' | 'newer-version' }
  | { readonly kind: 'malformed'; readonly problem: string; readonly issues: string }

const ISSUES_CHARACTERS_MAX = 4_000

/** Tells a message we understand from one that a newer build may understand, and from one that nobody ever will. */
export function readDelivery(content: Buffer): ReadDelivery {
  let body: unknown
  try {
    body = JSON.parse(content.toString())
  } catch (error) {
    return malformed('The content is not JSON', [{ code: 'not-json', message: String(error) }])
  }
  if (typeof body !== 'object' || body === null) return malformed('The content is not an object', [])
  const { type, version } = body as { type?: unknown; version?: unknown }
  if (typeof type !== 'string') return malformed('The message has no type', [])
  if (!isMessageType(type)) return { kind: 'unknown', reason: 'unknown-type' }
  const { schema } = MESSAGES[type]
  if (typeof version === 'number' && version > schema.shape.version.value) return { kind: 'unknown', reason: 'newer-version' }
  const parsed = schema.safeParse(body)
  if (parsed.success) return { kind: 'message', message: parsed.data }
  return malformed(`The message is not a valid ${type}`, parsed.error.issues)
}

function malformed(problem: string, issues: readonly unknown[]): ReadDelivery {
  return { kind: 'malformed', problem, issues: JSON.stringify(issues).slice(0, ISSUES_CHARACTERS_MAX) }
}
