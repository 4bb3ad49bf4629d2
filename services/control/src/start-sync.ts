import {
  type Database,
  insertAudit,
  openSyncRun,
  type Row,
  readUnrequestedRuns,
  type SyncType,
  setConnectionPending,
  setRunRequested,
  updateRun,
  waitForRun,
} from '@gatehouse/store'
import type { Transaction } from 'kysely'
import type { ControlDeps } from './control-deps.ts'

export type SyncRequest = {
  readonly organizationId: string
  readonly syncType: SyncType
  readonly cause: string
  /** Who confirms the run before it is counted; it is audited. */
  readonly confirmedBy?: string | undefined
}

/**
 * Starts a sync of one organisation: opens its run, then publishes the commands that carry it out. One that is under way and
 * does as much is answered instead.
 */
export async function startSync(request: SyncRequest, deps: ControlDeps, signal: AbortSignal): Promise<Row<'sync_runs'>> {
  const found = await openSync(request, deps)
  if (found.opened) await publishRunCommands(found.run, deps, signal)
  return found.run
}

/**
 * Starts syncs of several organisations: opens all runs before it publishes anything, so that one read of Graph serves them all and
 * finds a run for every mailbox that has changed there. `onFailure` hears of each that could not be started; the others are.
 */
export async function startSyncs(
  requests: readonly SyncRequest[],
  deps: ControlDeps,
  onFailure: (error: unknown, request: SyncRequest) => void,
  signal: AbortSignal,
): Promise<Row<'sync_runs'>[]> {
  const started: { request: SyncRequest; run: Row<'sync_runs'>; opened: boolean }[] = []
  for (const request of requests) {
    try {
      started.push({ request, ...(await openSync(request, deps)) })
    } catch (error) {
      onFailure(error, request)
    }
  }
  for (const { request, run, opened } of started) {
    try {
      if (opened) await publishRunCommands(run, deps, signal)
    } catch (error) {
      onFailure(error, request)
    }
  }
  return started.map(({ run }) => run)
}

async function openSync(request: SyncRequest, deps: ControlDeps): Promise<{ run: Row<'sync_runs'>; opened: boolean }> {
  const at = deps.now()
  return await deps.db.transaction().execute(async (transaction) => {
    const found = await openSyncRun(transaction, { ...request, at })
    if (request.confirmedBy !== undefined) await confirm(transaction, found, request.confirmedBy, at)
    if (found.opened) await setConnectionPending(transaction, request.organizationId, at)
    return found
  })
}

async function confirm(
  transaction: Transaction<Database>,
  found: { run: Row<'sync_runs'>; opened: boolean },
  actor: string,
  at: Date,
): Promise<void> {
  const run = found.opened ? found.run : await waitForRun(transaction, found.run.id)
  if (run === undefined) return
  if (!found.opened && run.brake === 'confirmed') return
  await updateRun(transaction, run.id, { brake: 'confirmed', status: 'running', confirmed_by: actor })
  const detail = { organizationId: run.organization_id, syncType: run.sync_type, inAdvance: true }
  await insertAudit(transaction, { actor, action: 'sync.confirm', subject: run.id, detail, at })
}

/** In the trace of whoever asked for the run, or else in one of its own. */
async function publishRunCommands(run: Row<'sync_runs'>, deps: ControlDeps, signal: AbortSignal): Promise<void> {
  const attributes = () => ({
    'gatehouse.sync_run.id': run.id,
    'gatehouse.organization.id': run.organization_id,
    'gatehouse.sync.type': run.sync_type,
  })
  await deps.tracer.trace('start sync', { attributes }, () => publishCommands(run, deps, signal))
}

/** Publishes what carries a run out. Repeating it is harmless: every command says only what to look at. */
async function publishCommands(run: Row<'sync_runs'>, deps: ControlDeps, signal: AbortSignal): Promise<void> {
  const options = { lane: 'bulk', signal } as const
  const policyVersion = Number(/^policy (\d+)$/.exec(run.cause)?.[1])
  const kind = run.sync_type === 'fullSync' ? 'full' : 'delta'
  await Promise.all([
    deps.broker.publish('compliance-lookup.refresh', { kind, syncRunId: run.id }, options),
    deps.broker.publish(
      'discovery.sync',
      { organizationId: run.organization_id, syncType: run.sync_type, syncRunId: run.id },
      options,
    ),
    // A full sync re-asserts the organisation's settings, and enforcement opens its shells while the lists are still read.
    kind === 'full'
      ? deps.broker.publish('enforcement.reconcile-organization', { organizationId: run.organization_id }, options)
      : undefined,
    Number.isSafeInteger(policyVersion) ? deps.broker.publish('policy.changed', { policyVersion }, options) : undefined,
  ])
  await setRunRequested(deps.db, run.id)
  deps.log.info({ syncRunId: run.id, organizationId: run.organization_id, syncType: run.sync_type }, 'Sync started')
}

/** Publishes the commands of runs whose starter died before it could, and of those that a new policy opened. */
export async function publishMissingCommands(deps: ControlDeps, olderThanMs: number, signal: AbortSignal): Promise<void> {
  const runs = await readUnrequestedRuns(deps.db, new Date(deps.now().getTime() - olderThanMs))
  for (const run of runs) await publishRunCommands(run, deps, signal)
}
