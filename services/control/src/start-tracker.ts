import { readOpenRunIds } from '@gatehouse/store'
import { evaluateRun } from './evaluate-run.ts'
import { nextBeatMs } from './next-beat-ms.ts'
import { type LostRunDeps, requestLostRuns } from './request-lost-runs.ts'
import { publishMissingCommands } from './start-sync.ts'

const UNREQUESTED_MS = 15_000

export type Tracker = AsyncDisposable & {
  /** Something has happened to a run: look soon instead of at the next beat. */
  wake(): void
}

/**
 * Evaluates the open runs, again and again while there are any. Messages only wake it: a lost or doubled one makes no
 * difference, since everything is counted from the tables. A run whose messages are lost is commanded again.
 */
export function startTracker(deps: LostRunDeps, signal: AbortSignal): Tracker {
  let isStopped = false
  let timer: NodeJS.Timeout | undefined
  let turn = Promise.resolve()
  let hasOpenRuns = true

  const schedule = (afterMs: number) => {
    if (isStopped) return
    clearTimeout(timer)
    timer = setTimeout(() => {
      turn = beat()
    }, afterMs)
  }
  const beat = async () => {
    const began = performance.now()
    let hasFailed = false
    try {
      await publishMissingCommands(deps, UNREQUESTED_MS, signal)
      const open = await readOpenRunIds(deps.db)
      hasOpenRuns = open.length > 0
      const quiet: string[] = []
      for (const id of open) if (!isStopped && (await evaluateRun(id, deps)).isQuiet) quiet.push(id)
      await requestLostRuns(quiet, deps, signal)
    } catch (error) {
      hasFailed = true
      if (!signal.aborted) deps.log.warn({ err: error }, 'The runs could not be evaluated; they are looked at again')
    }
    schedule(nextBeatMs({ tookMs: performance.now() - began, hasFailed, hasOpenRuns }))
  }
  schedule(0)
  return {
    wake: () => {
      if (hasOpenRuns) return
      hasOpenRuns = true
      schedule(0)
    },
    [Symbol.asyncDispose]: async () => {
      isStopped = true
      clearTimeout(timer)
      await turn
    },
  }
}
