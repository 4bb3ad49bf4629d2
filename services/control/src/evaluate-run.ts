import {
  countRun,
  type Database,
  lockRun,
  type Row,
  type RunCounts,
  requestedAgainAt,
  setLastSync,
  updateRun,
} from '@gatehouse/store'
import type { Transaction } from 'kysely'
import type { ControlDeps } from './control-deps.ts'
import { type RunVerdict, trackRun } from './track-run.ts'

/** The count of compliance-lookup that says how many mailboxes it asked to be decided. */
export const CHANGED_MAILBOXES = 'changedMailboxes'
const HOUR_MS = 3_600_000
const STALLED_MS = 6 * HOUR_MS
/** Longer than any handler may hold a message: a refresh from Graph may take 10 minutes. */
const QUIET_MS = 15 * 60_000

/**
 * Counts one open run and writes where it stands. Another copy that is at the same run right now makes this one unneeded.
 * @returns whether the run should move and has not for long: what it waits for may be lost
 */
export async function evaluateRun(syncRunId: string, deps: ControlDeps): Promise<{ isQuiet: boolean }> {
  const { settings, now } = deps
  return await deps.db.transaction().execute(async (transaction) => {
    const run = await lockRun(transaction, syncRunId)
    if (run === undefined || (run.status !== 'running' && run.status !== 'held')) return { isQuiet: false }
    const counts = await countRun(transaction, { id: run.id, organizationId: run.organization_id, startedAt: run.started_at })
    const verdict = trackRun(
      { run, counts, changedMailboxes: run.counts[CHANGED_MAILBOXES] ?? 0, requestedAgainAt: requestedAgainAt(run) },
      {
        brakeMinimum: settings.brake.minimum,
        brakePercent: settings.brake.percent,
        quietMs: QUIET_MS,
        stalledMs: STALLED_MS,
        unconfirmedMs: settings.broker.laterAgeHoursMax * HOUR_MS,
      },
      now(),
    )
    await write(transaction, { run, counts, verdict }, deps)
    return { isQuiet: verdict.isQuiet === true }
  })
}

type Evaluated = { run: Row<'sync_runs'>; counts: RunCounts; verdict: RunVerdict }

async function write(
  transaction: Transaction<Database>,
  { run, counts, verdict }: Evaluated,
  deps: ControlDeps,
): Promise<void> {
  const { mailboxes, devices, decided, enforced, written, failed, notices, wouldBlock } = counts
  const shown = { mailboxes, devices, decided, enforced, written, failed, notices }
  const ended = verdict.status === 'succeeded' || verdict.status === 'failed'
  const changed = verdict.status !== run.status || verdict.brake !== run.brake
  const sameCounts = Object.entries(shown).every(([name, count]) => run.counts[name] === count)
  if (!changed && sameCounts && run.would_block === wouldBlock && run.brake_limit === verdict.brakeLimit) return
  await updateRun(transaction, run.id, {
    status: verdict.status,
    brake: verdict.brake,
    brake_limit: verdict.brakeLimit,
    would_block: wouldBlock,
    counts: shown,
    // A worker's passing problem does not outlive the run that got over it.
    ...(ended ? { finishedAt: deps.now(), problem: verdict.problem ?? null } : {}),
  })
  if (verdict.status === 'succeeded') await setLastSync(transaction, run.organization_id, run.sync_type, deps.now())
  if (changed) {
    const fields = {
      syncRunId: run.id,
      status: verdict.status,
      brake: verdict.brake,
      wouldBlock,
      brakeLimit: verdict.brakeLimit,
    }
    deps.log[verdict.status === 'held' || verdict.status === 'failed' ? 'warn' : 'info'](fields, 'Sync run moved')
  }
}
