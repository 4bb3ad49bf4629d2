import { type Outcome, PermanentError, RetryableError } from '@gatehouse/messages'
import { fullJitterMs } from './backoff.ts'
import type { RetryPolicy } from './broker-options.ts'

/** How a delivery ended, before anything is done about it. */
export type Ending =
  | { readonly kind: 'answered'; readonly outcome: Outcome }
  | { readonly kind: 'threw'; readonly error: unknown }
  /** Cut short by our own stop. */
  | { readonly kind: 'interrupted' }
  | { readonly kind: 'unknown'; readonly reason: 'unknown-type' | 'newer-version' | 'no-handler' }
  | { readonly kind: 'malformed'; readonly problem: string; readonly issues: string }

export type Failure = {
  /** Stable, kebab-case. */
  readonly code: string
  readonly errorClass: string
  readonly message: string
}

export type Verdict =
  | { readonly kind: 'acknowledge' }
  | {
      readonly kind: 'delay'
      readonly delayMs: number
      readonly reason: string
      /** Undefined for a message that waits without having failed. */
      readonly failure: Failure | undefined
    }
  | { readonly kind: 'deadLetter'; readonly reason: string; readonly failure: Failure; readonly issues?: string }
  | { readonly kind: 'giveBack' }

export type DeliveryFacts = {
  readonly attempt: number
  /** Since when it has been answering `later`, in milliseconds of the epoch. */
  readonly waitingSinceMs: number | undefined
}

/**
 * What is to become of a delivery. Pure: all of the rules about attempts, delays and dead letters are here.
 */
export function planOutcome(
  ending: Ending,
  facts: DeliveryFacts,
  policy: RetryPolicy,
  now: { readonly ms: number; readonly random: () => number },
): Verdict {
  switch (ending.kind) {
    case 'answered':
      if (ending.outcome.kind === 'done') return { kind: 'acknowledge' }
      return planWait(ending.outcome.afterMs, ending.outcome.reason, facts, policy, now.ms)
    case 'unknown':
      return planWait(policy.unknownDelayMs * (0.5 + now.random() / 2), ending.reason, facts, policy, now.ms)
    case 'interrupted':
      return { kind: 'giveBack' }
    case 'malformed': {
      const failure = { code: 'malformed', errorClass: 'ZodError', message: ending.problem }
      return { kind: 'deadLetter', reason: 'malformed', failure, issues: ending.issues }
    }
    case 'threw':
      return planFailure(ending.error, facts, policy, now.random)
    default: {
      const never: never = ending
      return never
    }
  }
}

/** Waiting costs no attempt, but has an end. */
function planWait(delayMs: number, reason: string, facts: DeliveryFacts, policy: RetryPolicy, nowMs: number): Verdict {
  const waitedMs = nowMs - (facts.waitingSinceMs ?? nowMs)
  if (waitedMs < policy.laterAgeMsMax) return { kind: 'delay', delayMs, reason, failure: undefined }
  const message = `Still waiting after ${Math.round(waitedMs / 1000)} s: ${reason}`
  return { kind: 'deadLetter', reason: 'waited-too-long', failure: { code: reason, errorClass: 'Later', message } }
}

function planFailure(error: unknown, facts: DeliveryFacts, policy: RetryPolicy, random: () => number): Verdict {
  const failure = failureOf(error)
  if (error instanceof PermanentError) return { kind: 'deadLetter', reason: failure.code, failure }
  if (facts.attempt >= policy.maxAttempts) return { kind: 'deadLetter', reason: 'attempts-exhausted', failure }
  const askedMs = error instanceof RetryableError ? error.retryAfterMs : undefined
  const backoff = { baseMs: policy.backoffBaseMs, capMs: policy.backoffCapMs, random }
  return { kind: 'delay', delayMs: askedMs ?? fullJitterMs(facts.attempt, backoff), reason: failure.code, failure }
}

function failureOf(error: unknown): Failure {
  if (error instanceof PermanentError || error instanceof RetryableError)
    return { code: error.code, errorClass: error.name, message: error.message }
  if (error instanceof Error) return { code: 'unexpected-error', errorClass: error.name, message: error.message }
  return { code: 'unexpected-error', errorClass: typeof error, message: String(error) }
}
