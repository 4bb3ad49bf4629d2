import { setTimeout as delay } from 'node:timers/promises'
import type { RunReadiness } from '@gatehouse/store'

export type GateAnswer = 'ready' | 'not-yet' | 'over'

export type RefreshGateOptions = {
  /** Undefined: no such run. */
  readonly read: (syncRunId: string) => Promise<RunReadiness | undefined>
  readonly waitMs: number
  readonly pollMs: number
}

export type RefreshGate = (syncRunId: string, signal: AbortSignal) => Promise<GateAnswer>

const RUNS_MAX = 64

/**
 * Holds the mailboxes of a sync run back, for a moment and in this process, until the refresh they are to be decided by is
 * done: both begin at the same time, and sending thousands of messages through the delay ladder for a second of waiting would
 * cost more than the second. All messages of a run share one look at the database.
 */
export function createRefreshGate(options: RefreshGateOptions): RefreshGate {
  const ready = new Set<string>()
  const looking = new Map<string, Promise<GateAnswer>>()
  return async (syncRunId, signal) => {
    if (ready.has(syncRunId)) return 'ready'
    let look = looking.get(syncRunId)
    if (look === undefined) {
      look = lookUntilReady(syncRunId, options).finally(() => looking.delete(syncRunId))
      looking.set(syncRunId, look)
    }
    const answer = await look
    signal.throwIfAborted()
    if (answer === 'ready') remember(ready, syncRunId)
    return answer
  }
}

async function lookUntilReady(syncRunId: string, { read, waitMs, pollMs }: RefreshGateOptions): Promise<GateAnswer> {
  for (let waitedMs = 0; ; waitedMs += pollMs) {
    const run = await read(syncRunId)
    if (run === undefined || run.is_over) return 'over'
    if (run.is_ready) return 'ready'
    if (waitedMs >= waitMs) return 'not-yet'
    await delay(pollMs)
  }
}

function remember(ready: Set<string>, syncRunId: string): void {
  ready.add(syncRunId)
  for (const oldest of ready) {
    if (ready.size <= RUNS_MAX) return
    ready.delete(oldest)
  }
}
