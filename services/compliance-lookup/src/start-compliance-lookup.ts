import { Breaker, createDependency } from '@gatehouse/broker'
import { createGraph, type GraphOptions } from '@gatehouse/graph'
import { done, later } from '@gatehouse/messages'
import { AdvisoryLocks, readOpenRunOf, readRunReadiness } from '@gatehouse/store'
import { createSecretReader, type Logger, readSecret, type Settings, type Worker } from '@gatehouse/worker'
import type { ComplianceLookupDeps } from './compliance-lookup-deps.ts'
import { createGraphMetrics } from './create-graph-metrics.ts'
import { decideMailbox } from './decide-mailbox.ts'
import { createDecisionStore, warmDecisionStore } from './decision-store.ts'
import { handleRefresh } from './handle-refresh.ts'
import { judgeGraphFailure } from './judge-graph-failure.ts'
import { createRefreshGate } from './refresh-gate.ts'

/** As many as share a statement; see decision-store.ts. */
const CONCURRENCY = 24
/** A full read of 50,000 devices is 50 pages, and Graph may take its time. */
const HANDLER_MS = 10 * 60_000
const GATE_WAIT_MS = 2_000
const GATE_POLL_MS = 50
const NO_RUN_MS = 60_000
/** Intune has been seen to ask for minutes; it is believed, as far as the delay ladder reaches. */
const GRAPH_PAUSE = { pauseMsMin: 1_000, pauseMsMax: 60_000, askedMsMax: 3_600_000 }

/** The password is read at each tunnel: a changed one needs no restart. */
function proxyOf({ passwordFile, ...proxy }: NonNullable<Settings['graph']['proxy']>, log: Logger): GraphOptions['proxy'] {
  if (passwordFile === undefined) return proxy
  return { ...proxy, password: createSecretReader(() => readSecret(passwordFile), log) }
}

/** Binds every message to its handler. Disposing finishes the work in hand first. */
export async function startComplianceLookup(worker: Worker): Promise<AsyncDisposable> {
  await using stack = new AsyncDisposableStack()
  const { broker, store, settings, log } = worker
  const locks = new AdvisoryLocks({
    pool: store.pool,
    applicationName: 'gatehouse-compliance-lookup-locks',
    onLost: (error) => log.warn({ err: error }, 'The connection that holds the locks was lost'),
  })
  stack.use(locks)
  await locks.open()
  const { caFile, clientSecretFile, clientSecretExpires, proxy, ...graphSettings } = settings.graph
  const graph = stack.use(
    createGraph({
      ...graphSettings,
      clientSecret: createSecretReader(() => readSecret(clientSecretFile), log),
      log,
      tracer: worker.tracer,
      ...(caFile === undefined ? {} : { ca: readSecret(caFile) }),
      proxy: proxy && proxyOf(proxy, log),
    }),
  )
  const { requestCounts } = graph
  const deps: ComplianceLookupDeps = {
    pool: store.pool,
    db: store.db,
    locks,
    broker,
    graph,
    noteFailure: createGraphMetrics(worker.metrics, { requestCounts, clientSecretExpires, nowMs: Date.now }),
    gate: createRefreshGate({ read: (id) => readRunReadiness(store.pool, id), waitMs: GATE_WAIT_MS, pollMs: GATE_POLL_MS }),
    decisions: createDecisionStore({ pool: store.pool, missingRefreshesMax: settings.graph.deviceMissingRefreshes }),
    maxAttempts: settings.broker.maxAttempts,
    shrinkPercentMax: settings.graph.shrinkPercentMax,
    log,
  }
  await warmDecisionStore(store.pool)
  const consumer = await broker.consume({
    service: 'compliance-lookup',
    concurrency: CONCURRENCY,
    handlerTimeoutMs: HANDLER_MS,
    dependencies: [
      createDependency({
        name: 'Graph',
        breaker: new Breaker({ now: Date.now, random: Math.random, ...GRAPH_PAUSE }),
        judge: judgeGraphFailure,
        // A mailbox whose refresh is still to come has not asked Graph.
        isProof: (outcome) => outcome.kind === 'done',
      }),
    ],
    handlers: {
      'compliance-lookup.refresh': (message, context, signal) => handleRefresh(message, context, deps, signal),
      'mailbox.observed': (message, context, signal) => decideMailbox(message, context, deps, signal),
      'compliance-lookup.decide-mailbox': async (message, context, signal) => {
        const syncRunId = message.syncRunId ?? (await readOpenRunOf(store.pool, message.organizationId))
        // The brake belongs to a run, so a decision without one could never be carried out.
        if (syncRunId === undefined) return later(NO_RUN_MS, 'no-sync-run')
        return await decideMailbox({ ...message, syncRunId }, context, deps, signal)
      },
      // Control opens a full sync of every organisation for a new policy: that is what decides every mailbox again.
      'policy.changed': ({ policyVersion }) => {
        log.info({ policyVersion }, 'The policy has changed; a full sync decides every mailbox again')
        return Promise.resolve(done)
      },
    },
  })
  stack.use(consumer)
  return stack.move()
}
