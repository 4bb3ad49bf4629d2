/**
 * What a handler answers. `done`: everything the message asked for is committed and confirmed. `later`: nothing is wrong,
 * but not now; it does not spend an attempt.
 */
export type Outcome = { readonly kind: 'done' } | { readonly kind: 'later'; readonly afterMs: number; readonly reason: string }

export const done: Outcome = { kind: 'done' }

/** Asks for the message again after `afterMs` milliseconds. `reason` is kebab-case: it is a metric label. */
export function later(afterMs: number, reason: string): Outcome {
  return { kind: 'later', afterMs, reason }
}

export type ErrorDetail = { cause?: unknown; detail?: Record<string, string | number | boolean> }

/** It will fail the same way however often it is tried. `code` is kebab-case and stable: metric label, dead-letter reason. */
export class PermanentError extends Error {
  override readonly name = 'PermanentError'
  readonly code: string
  readonly detail: Readonly<Record<string, string | number | boolean>>

  constructor(code: string, message: string, options: ErrorDetail = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.detail = options.detail ?? {}
  }
}

/** It may work next time. `retryAfterMs` is what the other side asked for; without it the delay ladder's backoff applies. */
export class RetryableError extends Error {
  override readonly name = 'RetryableError'
  readonly code: string
  readonly retryAfterMs: number | undefined
  readonly detail: Readonly<Record<string, string | number | boolean>>

  constructor(code: string, message: string, options: ErrorDetail & { retryAfterMs?: number | undefined } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.retryAfterMs = options.retryAfterMs
    this.detail = options.detail ?? {}
  }
}
