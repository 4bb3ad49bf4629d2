import { hostname } from 'node:os'
import { done, type Outcome, type SyncProgressed } from '@gatehouse/messages'
import { type Database, type Row, type RunUpdate, setConnectorStatus, updateRun, waitForRun } from '@gatehouse/store'
import { organizationIdOf } from '@gatehouse/worker'
import type { Transaction } from 'kysely'
import type { ControlDeps } from './control-deps.ts'
import { CHANGED_MAILBOXES } from './evaluate-run.ts'

/** Stores which stage a run has reached, what is in its way, or that it cannot go on. The rest is counted from the tables. */
export async function handleSyncProgressed(message: SyncProgressed, deps: ControlDeps): Promise<Outcome> {
  await deps.db.transaction().execute(async (transaction) => {
    const run = await waitForRun(transaction, message.syncRunId)
    if (run === undefined) return
    const step = { transaction, run, message, deps, at: deps.now() }
    if (message.stage === 'discovered') return await storeDiscovered(step)
    if (message.stage === 'looked-up') return await storeLookedUp(step)
    if (run.status !== 'running' && run.status !== 'held') return
    if (message.stage === 'failed') return await storeFailure(step)
    if (message.problem !== undefined) await storePassingProblem(step, message.problem)
  })
  return done
}

type Step = {
  transaction: Transaction<Database>
  run: Row<'sync_runs'>
  message: SyncProgressed
  deps: ControlDeps
  at: Date
}

async function storeDiscovered({ transaction, run, deps, at }: Step): Promise<void> {
  await updateRun(transaction, run.id, { discoveredAt: at, ...passed(run) })
  await setConnectorStatus(transaction, run.organization_id, {
    status: 'connected',
    connectorServerName: hostname(),
    exchangeHost: exchangeHostOf(run.organization_id, deps),
    at,
  })
}

async function storeLookedUp({ transaction, run, message, at }: Step): Promise<void> {
  // A repeated look finds less changed than the first one did, and what that one asked for is still to come.
  const changed = Math.max(run.counts[CHANGED_MAILBOXES] ?? 0, message.counts[CHANGED_MAILBOXES] ?? 0)
  await updateRun(transaction, run.id, { lookedUpAt: at, counts: { [CHANGED_MAILBOXES]: changed }, ...passed(run) })
}

async function storeFailure(step: Step): Promise<void> {
  const { transaction, run, message, deps, at } = step
  await updateRun(transaction, run.id, failureOf(message, at))
  await disconnect(step)
  deps.log.warn({ syncRunId: run.id, problem: message.problem }, 'Sync run failed')
}

/** The worker tries again by itself; until then people can see what is in the way. */
async function storePassingProblem(step: Step, problem: NonNullable<SyncProgressed['problem']>): Promise<void> {
  await updateRun(step.transaction, step.run.id, { problem })
  await disconnect(step)
}

async function disconnect({ transaction, run, message, at }: Step): Promise<void> {
  if (!isOfExchange(message) || run.discovered_at !== null) return
  const problem = message.problem === undefined ? {} : { problem: message.problem }
  await setConnectorStatus(transaction, run.organization_id, { status: 'disconnected', ...problem, at })
}

function passed(run: Row<'sync_runs'>): { problem?: null } {
  return run.status === 'running' || run.status === 'held' ? { problem: null } : {}
}

function failureOf(message: SyncProgressed, at: Date): RunUpdate {
  const problem = message.problem ?? { code: 'sync-failed', message: 'A worker gave up without saying why' }
  return { status: 'failed', problem, finishedAt: at }
}

/** Graph has no organisation: what compliance-lookup reports says nothing about the connector. */
function isOfExchange(message: SyncProgressed): boolean {
  return message.organizationId !== undefined && !message.problem?.code.startsWith('graph-')
}

function exchangeHostOf(organizationId: string, deps: ControlDeps): string {
  const settings = deps.settings.organizations.find((one) => organizationIdOf(one.name) === organizationId)
  return URL.parse(settings?.exchange.url ?? '')?.hostname ?? ''
}
