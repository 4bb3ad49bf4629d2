import { parseTraceHeaders, type TraceContext, traceHeadersOf } from '@gatehouse/tracing'
import type { ConsumeMessage, Options } from 'amqplib'
import type { Failure } from './plan-outcome.ts'

/** What the broker writes into a message. Sent back to RabbitMQ 3.10 it makes the message look like a cycle, which loses it. */
const BROKER_HEADER = /^x-(death|first-death-|last-death-|delivery-count|acquired-count|opt-)/

/** AMQP refuses a header table above 64 KiB. */
const ERROR_MESSAGE_CHARACTERS_MAX = 1_000

export type Headers = Record<string, string | number>

/** The headers of a message that may be sent again: what is ours and scalar, nothing of the broker's. */
export function stripBrokerHeaders(headers: Readonly<Record<string, unknown>> | undefined): Headers {
  const kept: Headers = {}
  for (const [name, value] of Object.entries(headers ?? {})) {
    if (BROKER_HEADER.test(name)) continue
    if (typeof value === 'string' || typeof value === 'number') kept[name] = value
  }
  return kept
}

/** What our own headers say of a delivery. Whatever is missing or nonsense counts as a first attempt. */
export function readFacts(headers: Readonly<Record<string, unknown>> | undefined): {
  attempt: number
  waitingSinceMs: number | undefined
  firstFailedAt: string | undefined
  trace: TraceContext | undefined
} {
  const attempt = Number(headers?.['gh-attempt'] ?? 1)
  const waitingSinceMs = Date.parse(text(headers?.['gh-waiting-since']) ?? '')
  return {
    attempt: Number.isInteger(attempt) && attempt > 0 ? attempt : 1,
    waitingSinceMs: Number.isNaN(waitingSinceMs) ? undefined : waitingSinceMs,
    firstFailedAt: text(headers?.['gh-first-failed-at']),
    trace: parseTraceHeaders(headers?.['traceparent'], headers?.['tracestate']),
  }
}

/** Writes the context into the headers; whatever else they said of a trace is gone. */
export function setTrace(headers: Headers, trace: TraceContext): void {
  delete headers['tracestate']
  Object.assign(headers, traceHeadersOf(trace))
}

/**
 * The headers of a message that goes into the ladder: it remembers where it came from, which the ladder overwrites. `trace`: the
 * context that it came with, or the one it was given because it had none.
 */
export function delayedHeaders(
  raw: ConsumeMessage,
  { attempt, failure, trace, now }: { attempt: number; failure: Failure | undefined; trace: TraceContext; now: Date },
): Headers {
  const headers = withOrigin(raw, trace)
  if (failure === undefined) {
    headers['gh-waiting-since'] ??= now.toISOString()
    return headers
  }
  headers['gh-attempt'] = attempt + 1
  headers['gh-first-failed-at'] ??= now.toISOString()
  headers['gh-error-code'] = failure.code
  return headers
}

/** The headers of a dead letter: all that is needed to judge it, to group it with its like and to replay it. */
export function deadHeaders(
  raw: ConsumeMessage,
  dead: {
    reason: string
    failure: Failure
    issues?: string
    handler: string
    queue: string
    attempt: number
    trace: TraceContext
    now: Date
  },
): Headers {
  const headers = withOrigin(raw, dead.trace)
  headers['gh-attempt'] = dead.attempt
  headers['gh-first-failed-at'] ??= dead.now.toISOString()
  headers['gh-dead-at'] = dead.now.toISOString()
  headers['gh-reason'] = dead.reason
  headers['gh-handler'] = dead.handler
  headers['gh-queue'] = dead.queue
  headers['gh-error-code'] = dead.failure.code
  headers['gh-error-class'] = dead.failure.errorClass
  headers['gh-error-message'] = dead.failure.message.slice(0, ERROR_MESSAGE_CHARACTERS_MAX)
  if (dead.issues !== undefined) headers['gh-issues'] = dead.issues
  return headers
}

/** Properties of a copy of a delivery with other headers. */
export function copyOptions(raw: ConsumeMessage, headers: Headers, messageId: string): Options.Publish & { messageId: string } {
  const { contentType, type, timestamp, correlationId } = raw.properties
  return {
    persistent: true,
    mandatory: true,
    contentType: contentType ?? 'application/json',
    messageId,
    headers,
    ...(type === undefined ? {} : { type }),
    ...(timestamp === undefined ? {} : { timestamp }),
    ...(correlationId === undefined ? {} : { correlationId }),
  }
}

function withOrigin(raw: ConsumeMessage, trace: TraceContext): Headers {
  const headers = stripBrokerHeaders(raw.properties.headers)
  setTrace(headers, trace)
  headers['gh-origin-exchange'] ??= raw.fields.exchange
  headers['gh-origin-key'] ??= raw.fields.routingKey
  return headers
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}
