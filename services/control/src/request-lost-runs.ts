import { requestRunAgain } from '@gatehouse/store'
import type { ControlDeps } from './control-deps.ts'
import { isNothingOnItsWay, type QueueDepths } from './status/queue-depths.ts'

export type LostRunDeps = ControlDeps & { readonly readDepths: (signal: AbortSignal) => Promise<QueueDepths> }

/** A third time would lose them again, or die of the same message again. */
const TIMES_MAX = 2

/**
 * Has the commands of runs published again that should move and do not, when no queue holds anything any more: what carried them is
 * lost, with the data of a broker or by a purge. While anything waits somewhere nothing is done, for it may be theirs.
 */
export async function requestLostRuns(quiet: readonly string[], deps: LostRunDeps, signal: AbortSignal): Promise<void> {
  if (quiet.length === 0 || !isNothingOnItsWay(await deps.readDepths(signal))) return
  for (const syncRunId of quiet) {
    const isRequested = await requestRunAgain(deps.db, syncRunId, { at: deps.now(), timesMax: TIMES_MAX })
    if (isRequested) deps.log.warn({ syncRunId }, 'No queue holds anything of this sync run; its commands are published again')
  }
}
