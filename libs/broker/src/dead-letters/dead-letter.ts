import { createHash } from 'node:crypto'
import type { ConsumeMessage } from 'amqplib'
import { type Headers, stripBrokerHeaders } from '../message-headers.ts'
import { SERVICE_NAMES, type ServiceName } from '../service-names.ts'
import { deadQueueOf, UNROUTED } from '../topology-names.ts'

/** Where dead letters lie: one queue for each service, and one for what no queue took. */
export const DEAD_LETTER_SOURCES = [...SERVICE_NAMES, 'unrouted'] as const
export type DeadLetterSource = ServiceName | 'unrouted'

/** The queue of a source. */
export function letterQueueOf(source: DeadLetterSource): string {
  return source === 'unrouted' ? UNROUTED : deadQueueOf(source)
}

export type DeadLetter = {
  readonly queue: string
  readonly service: DeadLetterSource
  /** The message id; of a message that has none, which somebody put there by hand, the hash of its content. */
  readonly key: string
  readonly messageId: string
  readonly type: string
  /** The error's code; `attempts-exhausted`, `waited-too-long`, `malformed`; `delivery-limit` when the broker gave up on it. */
  readonly reason: string
  readonly errorCode: string | undefined
  readonly errorClass: string | undefined
  readonly errorMessage: string | undefined
  /** The type of message whose handler gave up. */
  readonly handler: string
  /** The queue it was taken from. */
  readonly diedIn: string | undefined
  readonly attempts: number
  readonly firstFailedAt: string | undefined
  readonly deadAt: string | undefined
  readonly origin: { readonly exchange: string; readonly routingKey: string } | undefined
  /** The zod issues of a malformed message, as JSON. */
  readonly issues: string | undefined
  /** The replay that sent it before it died this time. */
  readonly replayId: string | undefined
  /** How often it has been replayed. */
  readonly replays: number
  /** The message that it was made from by an edit. */
  readonly editedFrom: string | undefined
  readonly contentType: string | undefined
  readonly content: Buffer
  /** Ours only, as they can be sent again. */
  readonly headers: Readonly<Headers>
}

type BrokerDeath = { reason?: string; queue?: string; exchange?: string; 'routing-keys'?: string[]; time?: { value?: number } }

/** Reads what lies in a dead queue, whoever put it there: nothing in it is believed to be there or to be of a type. */
export function toDeadLetter(raw: ConsumeMessage, source: DeadLetterSource): DeadLetter {
  const headers = stripBrokerHeaders(raw.properties.headers)
  const text = (name: string): string | undefined => (headers[name] === undefined ? undefined : String(headers[name]))
  const death = lastDeath(raw)
  const messageId = textOf(raw.properties.messageId) ?? ''
  const type = textOf(raw.properties.type) ?? 'unknown'
  return {
    queue: letterQueueOf(source),
    service: source,
    key: messageId === '' ? `sha256:${createHash('sha256').update(raw.content).digest('hex').slice(0, 32)}` : messageId,
    messageId,
    type,
    // Only the broker buries without our headers: `delivery_limit` after too many crashes, `rejected`, `maxlen`.
    reason: text('gh-reason') ?? death?.reason?.replaceAll('_', '-') ?? (source === 'unrouted' ? 'unrouted' : 'unknown'),
    errorCode: text('gh-error-code'),
    errorClass: text('gh-error-class'),
    errorMessage: text('gh-error-message'),
    handler: text('gh-handler') ?? type,
    diedIn: text('gh-queue') ?? death?.queue,
    attempts: countOf(headers['gh-attempt'], 1),
    firstFailedAt: text('gh-first-failed-at'),
    deadAt: text('gh-dead-at') ?? timeOf(death),
    origin: originOf(raw, { exchange: text('gh-origin-exchange'), routingKey: text('gh-origin-key') }, source, death),
    issues: text('gh-issues'),
    replayId: text('gh-replay-id'),
    replays: countOf(headers['gh-replays'], 0),
    editedFrom: text('gh-edited-from'),
    contentType: textOf(raw.properties.contentType),
    content: raw.content,
    headers,
  }
}

function originOf(
  raw: ConsumeMessage,
  said: { exchange: string | undefined; routingKey: string | undefined },
  source: DeadLetterSource,
  death: BrokerDeath | undefined,
): DeadLetter['origin'] {
  const { exchange = death?.exchange, routingKey = death?.['routing-keys']?.[0] } = said
  if (exchange !== undefined && routingKey !== undefined) return { exchange, routingKey }
  // What no queue took still carries where it was published to.
  return source === 'unrouted' ? { exchange: raw.fields.exchange, routingKey: raw.fields.routingKey } : undefined
}

function lastDeath(raw: ConsumeMessage): BrokerDeath | undefined {
  const deaths: unknown = raw.properties.headers?.['x-death']
  const death: unknown = Array.isArray(deaths) ? deaths[0] : undefined
  return typeof death === 'object' && death !== null ? (death as BrokerDeath) : undefined
}

function timeOf(death: BrokerDeath | undefined): string | undefined {
  const seconds = death?.time?.value
  return typeof seconds === 'number' ? new Date(seconds * 1000).toISOString() : undefined
}

function countOf(value: unknown, otherwise: number): number {
  const count = Number(value ?? otherwise)
  return Number.isInteger(count) && count >= 0 ? count : otherwise
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}
