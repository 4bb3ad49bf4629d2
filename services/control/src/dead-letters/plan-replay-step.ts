import type { ProblemJson, ReplayCounts } from '@gatehouse/store'
import type { ReplayOptions } from './replay-request.ts'

export type ReplayFacts = {
  readonly options: ReplayOptions
  readonly counts: ReplayCounts
  /** Letters that are still to be sent. */
  readonly remaining: number
  readonly isCanaryPassed: boolean
  /** How long ago the last letter was sent by this run; undefined before the first. */
  readonly quietMs: number | undefined
  /** For how long nothing has remained though not all of it is accounted for. */
  readonly missingMs: number
  /** Who else consumes the dead queues: a copy that died, and whose connection the broker has not missed yet, is among them. */
  readonly holders: number
  /** Rounds in a row in which nothing could be sent though something remains. */
  readonly idleRounds: number
}

export type ReplayStep =
  | { readonly kind: 'send'; readonly most: number }
  | { readonly kind: 'watch'; readonly ms: number }
  | { readonly kind: 'pass-canary' }
  | { readonly kind: 'stop'; readonly problem: ProblemJson }
  | { readonly kind: 'finish' }

/** So few letters that are dead again say nothing of a rate. */
const RETURNED_MIN = 10
const WATCH_MS = 1_000
/** A message that fails at once is dead again within this time; then the last count is told. */
const SETTLE_MS = 2_000
const IDLE_ROUNDS_MAX = 10
/** RabbitMQ gives back what a dead process held when it misses two heartbeats of 20 seconds. */
const MISSING_MS_MAX = 60_000
/** What somebody held who is gone is ready again after this. */
const GIVEN_BACK_MS = 1_000

/** What a replay does next, from what has become of its letters so far. */
export function planReplayStep(facts: ReplayFacts): ReplayStep {
  const problem = findProblem(facts)
  const { counts, remaining, quietMs, options } = facts
  if (problem !== undefined) {
    const restMs = problem.code === 'canary-returned' && counts.returned < counts.sent ? settleMs(quietMs) : 0
    return restMs > 0 ? { kind: 'watch', ms: Math.min(restMs, WATCH_MS) } : { kind: 'stop', problem }
  }
  if (remaining === 0) return planEnd(facts)
  if (options.canary === undefined || facts.isCanaryPassed) return { kind: 'send', most: remaining }
  const unsent = options.canary.count - counts.sent - counts.unaccounted
  if (unsent > 0) return { kind: 'send', most: unsent }
  // After a crash nobody knows when the canaries went: they are watched from then on.
  const restMs = options.canary.seconds * 1_000 - (quietMs ?? 0)
  return restMs > 0 ? { kind: 'watch', ms: Math.min(restMs, WATCH_MS) } : { kind: 'pass-canary' }
}

/** What is not seen may be in the hands of a copy that has died: then it will be seen again. */
function planEnd({ counts, quietMs, missingMs, holders }: ReplayFacts): ReplayStep {
  const waitMs = holders > 0 ? MISSING_MS_MAX : GIVEN_BACK_MS
  if (counts.unaccounted > 0 && missingMs < waitMs) return { kind: 'watch', ms: WATCH_MS }
  const restMs = settleMs(quietMs)
  return restMs > 0 ? { kind: 'watch', ms: restMs } : { kind: 'finish' }
}

/** How long the count of those that are dead again may still be too low; nobody knows when a run before a crash sent its last. */
function settleMs(quietMs: number | undefined): number {
  return quietMs === undefined ? 0 : Math.max(0, SETTLE_MS - quietMs)
}

function findProblem({ options, counts, isCanaryPassed, idleRounds }: ReplayFacts): ProblemJson | undefined {
  const { returned, sent } = counts
  if (options.canary !== undefined && !isCanaryPassed && returned > 0)
    return {
      code: 'canary-returned',
      message: `${returned} of the first ${sent} letters are dead again; the rest was not sent`,
    }
  const returnedMax = (sent * options.returnedPercentMax) / 100
  if (returned > returnedMax && (returned >= RETURNED_MIN || options.returnedPercentMax === 0))
    return {
      code: 'too-many-returned',
      message: `${returned} of ${sent} letters are dead again, more than ${options.returnedPercentMax} %`,
    }
  if (idleRounds > IDLE_ROUNDS_MAX)
    return { code: 'letters-unreachable', message: 'Letters of the selection are in the dead queue and cannot be had or sent' }
  return undefined
}
