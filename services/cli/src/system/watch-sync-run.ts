import { setTimeout as delay } from 'node:timers/promises'
import { RetryableError } from '@gatehouse/messages'
import type { ControlClient } from '../control-client.ts'

export type SyncRunView = {
  id: string
  syncType: string
  status: 'running' | 'held' | 'succeeded' | 'failed'
  brake: string
  wouldBlock: number
  brakeLimit: number
  counts: Record<string, number>
  problem: { code: string; message: string } | null
  startedAt: string
  finishedAt: string | null
}

const POLL_MS = 250

/**
 * Follows a sync run until it ends or is held by the brake, telling `onProgress` of every change.
 * @throws RetryableError `sync-timeout` after `timeoutMs`.
 */
export async function watchSyncRun(
  control: ControlClient,
  syncRunId: string,
  options: { timeoutMs: number; onProgress: (run: SyncRunView) => void },
  signal: AbortSignal,
): Promise<SyncRunView> {
  const deadline = Date.now() + options.timeoutMs
  let last = ''
  for (;;) {
    const run = await readRun(control, syncRunId)
    const told = run === undefined ? '' : JSON.stringify(run)
    if (run !== undefined && told !== last) options.onProgress(run)
    last = told
    if (run !== undefined && run.status !== 'running') return run
    if (Date.now() > deadline)
      throw new RetryableError('sync-timeout', `Sync run ${syncRunId} has not ended within ${options.timeoutMs / 1000} s`)
    await delay(POLL_MS, undefined, { signal })
  }
}

/** Control may be away for a moment, as any worker may: its absence is not the end of the run. */
async function readRun(control: ControlClient, syncRunId: string): Promise<SyncRunView | undefined> {
  try {
    return (await control.get(`/api/syncRuns/${syncRunId}`)) as SyncRunView
  } catch (error) {
    if (error instanceof RetryableError) return undefined
    throw error
  }
}
