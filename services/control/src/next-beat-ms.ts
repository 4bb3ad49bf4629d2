export type Beat = { readonly tookMs: number; readonly hasFailed: boolean; readonly hasOpenRuns: boolean }

const OPEN_MS = 1_000
const IDLE_MS = 2_000
/** Counting takes at most a tenth of the time, however large the organisation. */
const DUTY = 9
/** Whoever waits for the end of a run waits no longer than this for it to be noticed. */
const PAUSE_MS_MAX = 20_000

/**
 * How long after one look at the runs the next one comes. One that failed tells nothing of how long counting takes: it may have
 * waited for a connection that had gone silent.
 */
export function nextBeatMs({ tookMs, hasFailed, hasOpenRuns }: Beat): number {
  const leastMs = hasOpenRuns ? OPEN_MS : IDLE_MS
  return hasFailed ? leastMs : Math.max(leastMs, Math.min(DUTY * tookMs, PAUSE_MS_MAX))
}
