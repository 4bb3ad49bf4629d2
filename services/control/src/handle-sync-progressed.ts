import { hostname } from 'node:os'
import { done, type Outcome, type SyncProgressed } from '@gatehouse/messages'
import { type RunUpdate, setConnectorStatus, updateRun, waitForRun } from '@gatehouse/store'
import { organizationIdOf } from '@gatehouse/worker'
import type { ControlDeps } from './control-deps.ts'
import { CHANGED_MAILBOXES } from './evaluate-run.ts'

/** Stores which stage a run has reached, or that it cannot go on. The rest is counted from the tables. */
export async function handleSyncProgressed(message: SyncProgressed, deps: ControlDeps): Promise<Outcome> {
  const at = deps.now()
  await deps.db.transaction().execute(async (transaction) => {
    const run = await waitForRun(transaction, message.syncRunId)
    if (run === undefined) return
    const isOpen = run.status === 'running' || run.status === 'held'
    if (message.stage === 'discovered') {
      await updateRun(transaction, run.id, { discoveredAt: at })
      await setConnectorStatus(transaction, run.organization_id, {
        status: 'connected',
        connectorServerName: hostname(),
        exchangeHost: exchangeHostOf(run.organization_id, deps),
        at,
      })
    }
    if (message.stage === 'looked-up') {
      // A repeated look finds less changed than the first one did, and what that one asked for is still to come.
      const changed = Math.max(run.counts[CHANGED_MAILBOXES] ?? 0, message.counts[CHANGED_MAILBOXES] ?? 0)
      await updateRun(transaction, run.id, { lookedUpAt: at, counts: { [CHANGED_MAILBOXES]: changed } })
    }
    if (message.stage !== 'failed' || !isOpen) return
    await updateRun(transaction, run.id, failureOf(message, at))
    if (isOfExchange(message) && run.discovered_at === null) {
      await setConnectorStatus(transaction, run.organization_id, {
        status: 'disconnected',
        ...(message.problem === undefined ? {} : { problem: message.problem }),
        at,
      })
    }
    deps.log.warn({ syncRunId: run.id, problem: message.problem }, 'Sync run failed')
  })
  return done
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
