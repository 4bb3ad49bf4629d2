import type { SyncType } from '@gatehouse/store'
import type { Settings } from '@gatehouse/worker'
import { Cron } from 'croner'

/** Over a weekend, and however often; or a year of syncs that come once a month. */
const SPAN_MS = 8 * 86_400_000
const RUNS_MIN = 13
const RUNS_MAX = 800

/**
 * The longest time between two syncs that the schedule intends, in seconds: a schedule of working hours has its nights. 0 when
 * nothing is scheduled.
 */
export function syncIntervals(schedule: Settings['schedule'], now: Date): Record<SyncType, number> {
  const longest = (expression: string): number => (schedule.enabled ? longestGapSeconds(expression, now) : 0)
  return { fullSync: longest(schedule.fullSync), deltaSync: longest(schedule.deltaSync) }
}

function longestGapSeconds(expression: string, now: Date): number {
  const cron = new Cron(expression, { paused: true })
  const endMs = now.getTime() + SPAN_MS
  let longestMs = 0
  let last = cron.nextRun(now)
  for (let runs = 1; last !== null && runs < RUNS_MAX && (runs < RUNS_MIN || last.getTime() < endMs); runs++) {
    const next = cron.nextRun(last)
    if (next !== null) longestMs = Math.max(longestMs, next.getTime() - last.getTime())
    last = next
  }
  return longestMs / 1_000
}
