import { insertAudit, type Row, updateRun, waitForRun } from '@gatehouse/store'
import type { ControlDeps } from './control-deps.ts'

export type Confirmation =
  | { kind: 'confirmed'; run: Row<'sync_runs'> }
  | { kind: 'ended'; run: Row<'sync_runs'> }
  | { kind: 'unknown' }

/** Lets a run block as many devices as it would. Confirming twice is harmless; who did it first is recorded. */
export async function confirmRun(syncRunId: string, actor: string, deps: ControlDeps): Promise<Confirmation> {
  return await deps.db.transaction().execute(async (transaction) => {
    const run = await waitForRun(transaction, syncRunId)
    if (run === undefined) return { kind: 'unknown' }
    if (run.status !== 'running' && run.status !== 'held') return { kind: 'ended', run }
    if (run.brake === 'confirmed') return { kind: 'confirmed', run }
    await updateRun(transaction, run.id, { brake: 'confirmed', status: 'running', confirmed_by: actor })
    await insertAudit(transaction, {
      actor,
      action: 'sync.confirm',
      subject: run.id,
      detail: { organizationId: run.organization_id, wouldBlock: run.would_block, brakeLimit: run.brake_limit },
      at: deps.now(),
    })
    return { kind: 'confirmed', run: { ...run, brake: 'confirmed', status: 'running', confirmed_by: actor } }
  })
}
