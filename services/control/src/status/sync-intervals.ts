import type { SyncType } from '@gatehouse/store'
import type { Settings } from '@gatehouse/worker'
import { Cron } from 'croner'

/** A week of syncs every 15 minutes. */
const RUNS_MAX = 700

/**
 * The longest time between two syncs that the schedule intends, in seconds: a schedule of working hours has its nights. 0 when
 * nothing is scheduled.
 */
export function syncIntervals(schedule: Settings['schedule'], now: Date): Record<SyncType, number> {
  const longest = (expression: string): number => (schedule.enabled ? longestGapSeconds(expression, now) : 0)
  return { fullSync: longest(schedule.fullSync), deltaSync: longest(schedule.deltaSync) }
}

function longestGapSeconds(expression: string, now: Date): number {
  const moments = new Cron(expression, { paused: true }).nextRuns(RUNS_MAX, now).map((moment) => moment.getTime())
  const gaps = moments.slice(1).map((moment, index) => moment - (moments[index] ?? moment))
  return Math.max(0, ...gaps) / 1_000
}
