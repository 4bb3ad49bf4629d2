import { createSeededRandom } from '../population/seeded-random.ts'
import { type GraphAnswer, refuse } from './graph-answer.ts'
import type { GraphFaults } from './graph-faults.ts'
import type { Ledger } from './ledger.ts'

const publishedExamples = [0.4, 2.128]
/** A client's timer may fire a moment early. */
const toleranceMs = 3

export type Throttle = (key: string, workload: 'intune' | 'entra') => GraphAnswer | undefined

/**
 * Answers 429 as the plan says. Who calls the same thing again before Retry-After has passed is throttled again, has the
 * wait begin anew and is counted as `tooEarly` (the rule of dev-proxy's RetryAfterPlugin).
 */
export function createThrottle(faults: GraphFaults, ledger: Ledger, now: () => number): Throttle {
  const random = createSeededRandom(faults.seed ?? 1)
  const closedUntil = new Map<string, { at: number; seconds: number }>()
  let nextLeft = faults.throttleNext ?? 0
  let turn = 0

  function close(scope: string, seconds: number, workload: string): GraphAnswer {
    closedUntil.set(scope, { at: now() + seconds * 1000, seconds })
    ledger.counts.throttled += 1
    const headers: Record<string, string> = faults.retryAfterSeconds === null ? {} : { 'retry-after': String(seconds) }
    if (workload === 'entra') {
      Object.assign(headers, {
        'x-ms-throttle-limit-percentage': '1.2',
        'x-ms-throttle-scope': 'Tenant_Application/ReadWrite',
        'x-ms-throttle-information': 'ResourceUnitLimitExceeded',
      })
    }
    return refuse(429, 'TooManyRequests', 'Too many requests.', headers)
  }

  return (key, workload) => {
    const scope = faults.throttleScope === 'workload' ? workload : key
    const closed = closedUntil.get(scope)
    if (closed !== undefined) {
      if (now() < closed.at - toleranceMs && faults.retryAfterSeconds !== null) {
        ledger.counts.tooEarly += 1
        return close(scope, closed.seconds, workload)
      }
      closedUntil.delete(scope)
    }
    const isNext = nextLeft > 0
    if (isNext) nextLeft -= 1
    else if (!random.chance((faults.throttlePercent ?? 0) / 100)) return undefined
    const seconds = faults.retryAfterSeconds ?? publishedExamples[turn++ % publishedExamples.length]
    return close(scope, seconds as number, workload)
  }
}
