import type { SyncType } from '@gatehouse/store'
import { sql } from 'kysely'
import type { SystemView } from './start-system.ts'
import { type SyncRunView, watchSyncRun } from './watch-sync-run.ts'

export type MeasuredSync = {
  readonly run: SyncRunView
  /** From the command to the last write that Exchange confirmed; to the end of the run when nothing was written. */
  readonly seconds: number
  readonly writes: number
}

/** Starts a sync as an administrator would, confirmed in advance or not, follows it to its end and measures it. */
export async function runMeasuredSync(
  system: Pick<SystemView, 'control' | 'store'>,
  options: { syncType: SyncType; confirmed: boolean; timeoutMs: number; onProgress: (run: SyncRunView) => void },
  signal: AbortSignal,
): Promise<MeasuredSync> {
  const commandedAt = Date.now()
  const { connectors } = await readConnectors(system)
  const connector = connectors[0]
  if (connector === undefined) throw new TypeError('Control knows no connector')
  const { syncRunId } = (await system.control.post(`/api/exchangeConnectors/${connector.id}/sync`, {
    syncType: options.syncType,
    confirmed: options.confirmed,
  })) as { syncRunId: string }
  const run = await watchSyncRun(system.control, syncRunId, options, signal)
  const { writes, last } = await readWrites(system, new Date(commandedAt))
  const endedAt = last?.getTime() ?? (run.finishedAt === null ? Date.now() : Date.parse(run.finishedAt))
  return { run, seconds: (endedAt - commandedAt) / 1000, writes }
}

async function readConnectors(system: Pick<SystemView, 'control' | 'store'>): Promise<{ connectors: { id: string }[] }> {
  const answer = (await system.control.get('/api/exchangeConnectors')) as { value: { id: string }[] }
  return { connectors: answer.value }
}

async function readWrites(
  system: Pick<SystemView, 'control' | 'store'>,
  since: Date,
): Promise<{ writes: number; last: Date | null }> {
  const { rows } = await sql<{ writes: number; last: Date | null }>`
    select count(*)::int as writes, max(written_at) as last from access_changes where written_at >= ${since}`.execute(
    system.store.db,
  )
  return rows[0] ?? { writes: 0, last: null }
}
