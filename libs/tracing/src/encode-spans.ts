import type { SpanAttributes, SpanKind, SpanRecord } from './span.ts'

/** Of what made the spans, by the semantic conventions: `service.name` and its like. */
export type Resource = SpanAttributes

/** opentelemetry-proto, trace.proto: Span.SpanKind. OTLP's JSON has enums as numbers, ids in hexadecimal, 64-bit integers as texts. */
const KINDS: Readonly<Record<SpanKind, number>> = { internal: 1, server: 2, client: 3, consumer: 5 }
const STATUS_ERROR = 2
const SAMPLED = 1
const TEXT_CHARACTERS_MAX = 256

/** An ExportTraceServiceRequest, as OTLP/HTTP takes it in JSON (https://opentelemetry.io/docs/specs/otlp/). */
export function encodeSpans(spans: readonly SpanRecord[], resource: Resource): string {
  return JSON.stringify({
    resourceSpans: [
      {
        resource: { attributes: encodeAttributes(resource) },
        scopeSpans: [{ scope: { name: 'gatehouse' }, spans: spans.map(encodeSpan) }],
      },
    ],
  })
}

function encodeSpan({ context, parentSpanId, name, kind, startedAtMs, durationMs, attributes, error }: SpanRecord) {
  const start = BigInt(startedAtMs) * 1_000_000n
  return {
    traceId: context.traceId,
    spanId: context.spanId,
    ...(context.traceState !== undefined && { traceState: context.traceState }),
    ...(parentSpanId !== undefined && { parentSpanId }),
    flags: SAMPLED,
    name: name.slice(0, TEXT_CHARACTERS_MAX),
    kind: KINDS[kind],
    startTimeUnixNano: String(start),
    endTimeUnixNano: String(start + BigInt(Math.round(durationMs * 1_000_000))),
    attributes: encodeAttributes(error === undefined ? attributes : { ...attributes, 'error.type': error }),
    status: error === undefined ? {} : { code: STATUS_ERROR, message: error.slice(0, TEXT_CHARACTERS_MAX) },
  }
}

function encodeAttributes(attributes: SpanAttributes) {
  return Object.entries(attributes).map(([key, value]) => ({ key, value: encodeValue(value) }))
}

function encodeValue(value: string | number | boolean) {
  if (typeof value === 'string') return { stringValue: value.slice(0, TEXT_CHARACTERS_MAX) }
  if (typeof value === 'boolean') return { boolValue: value }
  return Number.isSafeInteger(value) ? { intValue: String(value) } : { doubleValue: value }
}
