import type { TraceContext } from './trace-context.ts'

/** Version 00 is exactly this long; a later version may have more fields behind a hyphen, and is read as 00. */
const TRACEPARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.{0,512})?$/
const NOTHING = /^0+$/
const SAMPLED = 0x01

/** The specification asks for at least 512 characters to be passed on; no more than that is. */
const TRACESTATE_CHARACTERS_MAX = 512
const TRACESTATE_MEMBERS_MAX = 32
const KEY = '[a-z0-9][a-z0-9_*/-]{0,255}|[a-z0-9][a-z0-9_*/-]{0,240}@[a-z][a-z0-9_*/-]{0,13}'
const VALUE = '[ -+\\--<>-~]{0,255}[!-+\\--<>-~]'
const MEMBER = new RegExp(`^(?:${KEY})=(?:${VALUE})$`)

/**
 * Reads the headers `traceparent` and `tracestate` of a message or a request, whoever wrote them. Undefined for anything but a
 * valid `traceparent`: then a new trace begins. An invalid `tracestate` is dropped without harm to the trace.
 */
export function parseTraceHeaders(traceparent: unknown, tracestate?: unknown): TraceContext | undefined {
  if (typeof traceparent !== 'string') return undefined
  const [, version, traceId, spanId, flags, more] = TRACEPARENT.exec(traceparent) ?? []
  if (traceId === undefined || spanId === undefined || flags === undefined) return undefined
  if (version === 'ff' || (version === '00' && more !== undefined)) return undefined
  if (NOTHING.test(traceId) || NOTHING.test(spanId)) return undefined
  const isSampled = (Number.parseInt(flags, 16) & SAMPLED) !== 0
  const traceState = parseTracestate(tracestate)
  return traceState === undefined ? { traceId, spanId, isSampled } : { traceId, spanId, isSampled, traceState }
}

/** The headers that pass a context on. */
export function traceHeadersOf(context: TraceContext): { traceparent: string; tracestate?: string } {
  const traceparent = `00-${context.traceId}-${context.spanId}-${context.isSampled ? '01' : '00'}`
  return context.traceState === undefined ? { traceparent } : { traceparent, tracestate: context.traceState }
}

function parseTracestate(value: unknown): string | undefined {
  if (typeof value !== 'string' || value === '' || value.length > TRACESTATE_CHARACTERS_MAX) return undefined
  const members = value
    .split(',')
    .map((member) => member.replace(/^[ \t]+|[ \t]+$/g, ''))
    .filter((member) => member !== '')
  if (members.length === 0 || members.length > TRACESTATE_MEMBERS_MAX) return undefined
  if (!members.every((member) => MEMBER.test(member))) return undefined
  const keys = new Set(members.map((member) => member.slice(0, member.indexOf('='))))
  return keys.size === members.length ? value : undefined
}
