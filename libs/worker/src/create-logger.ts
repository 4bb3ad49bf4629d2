import type { TraceContext } from '@gatehouse/tracing'
import { type DestinationStream, type Logger as PinoLogger, pino, stdSerializers } from 'pino'
import { isSecretKey, MASK, maskSecrets } from './mask-secrets.ts'

const DEPTH_MAX = 8

export type Logger = PinoLogger

export type LoggerOptions = {
  name: string
  level: string
  /** In which span the line is written, if in any. */
  currentSpan?: () => TraceContext | undefined
  /** Standard error unless given: standard output belongs to results. */
  destination?: DestinationStream
}

/**
 * Logs one JSON line per entry. Values under keys that name a secret are replaced at any depth, and so is whatever looks
 * like a secret in any text: credentials in URLs, authorization headers. What is logged in a span has its `traceId` and `spanId`.
 */
export function createLogger(options: LoggerOptions): Logger {
  // Written at once: a line must not be lost when the process is killed or exits right after it.
  const destination = options.destination ?? pino.destination({ dest: 2, sync: true })
  return pino(
    {
      name: options.name,
      level: options.level,
      mixin: () => spanFieldsOf(options.currentSpan?.()),
      formatters: { log: (entry) => redact(entry, 0) as Record<string, unknown> },
      // `log` has already made an object of it.
      serializers: { err: (error: unknown) => error },
      hooks: { streamWrite: maskSecrets },
    },
    destination,
  )
}

function spanFieldsOf(span: TraceContext | undefined): { traceId?: string; spanId?: string } {
  return span === undefined ? {} : { traceId: span.traceId, spanId: span.spanId }
}

function redact(value: unknown, depth: number): unknown {
  if (typeof value !== 'object' || value === null || value instanceof Date) return value
  if (depth > DEPTH_MAX) return '…'
  if (value instanceof Error) return redactEntries({ ...stdSerializers.err(value) }, depth)
  if (ArrayBuffer.isView(value)) return `${value.byteLength} bytes`
  if (Array.isArray(value)) return value.map((item) => redact(item, depth + 1))
  return redactEntries(value, depth)
}

function redactEntries(value: object, depth: number): Record<string, unknown> {
  const entries = Object.entries(value).map(([key, inner]) => [key, isSecretKey(key) ? MASK : redact(inner, depth + 1)])
  return Object.fromEntries(entries) as Record<string, unknown>
}
