const MS_MAX = 24 * 3_600_000

/**
 * Milliseconds of a Retry-After header; undefined when there is none or it makes no sense. Microsoft sends fractions of seconds
 * ("2.128"), which are rounded up: who calls a moment early is throttled again. A date is allowed as well (RFC 9110 §10.2.3).
 */
export function parseRetryAfter(value: unknown, now: () => number = Date.now): number | undefined {
  if (typeof value !== 'string' && typeof value !== 'number') return undefined
  const text = String(value).trim()
  const ms = /^\d+(\.\d+)?$/.test(text) ? Math.ceil(Number((Number(text) * 1_000).toFixed(3))) : Date.parse(text) - now()
  if (!Number.isFinite(ms)) return undefined
  return Math.min(Math.max(ms, 0), MS_MAX)
}
