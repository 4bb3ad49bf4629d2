import { AdvisoryLocks } from '@gatehouse/store'
import { createQueueMetrics, organizationIdOf, type Worker } from '@gatehouse/worker'
import { createTokensReader } from './api/create-tokens-reader.ts'
import { startApi } from './api/start-api.ts'
import type { ControlDeps } from './control-deps.ts'
import type { DeadLetterDeps } from './dead-letters/dead-letter-deps.ts'
import { startReplayer } from './dead-letters/start-replayer.ts'
import { handleSyncProgressed } from './handle-sync-progressed.ts'
import { startScheduler } from './start-scheduler.ts'
import { publishMissingCommands } from './start-sync.ts'
import { startTracker } from './start-tracker.ts'
import { createOrganizationMetrics, type FactsRead } from './status/create-organization-metrics.ts'
import { createDepthReader, measuredQueues } from './status/queue-depths.ts'
import { startDepthWatch } from './status/start-depth-watch.ts'
import { startFactsWatch } from './status/start-facts-watch.ts'
import { syncIntervals } from './status/sync-intervals.ts'
import { writeSettings } from './write-settings.ts'

const CONCURRENCY = 16
const HANDLER_MS = 60_000
const DEPTHS_MS = 5_000

/** Writes what the settings say, then tracks runs, keeps the schedule and answers the API; `url` is where. */
export async function startControl(worker: Worker): Promise<AsyncDisposable & { url: string }> {
  const { settings, broker, tracer, log, signal } = worker
  const readTokens = createTokensReader(settings.control.tokenFile, log)
  const deps: ControlDeps = { db: worker.store.db, broker, settings, tracer, log, now: () => new Date() }
  const version = await writeSettings(deps)
  if (version !== undefined) await announcePolicy(version, deps, signal)
  await using stack = new AsyncDisposableStack()
  const readDepths = createDepthReader(broker, Date.now)
  const tracker = stack.use(startTracker({ ...deps, readDepths }, signal))
  stack.use(startScheduler(deps, signal))
  stack.use(
    await broker.consume({
      service: 'control',
      concurrency: CONCURRENCY,
      handlerTimeoutMs: HANDLER_MS,
      handlers: {
        'sync.progressed': async (message) => {
          const outcome = await handleSyncProgressed(message, deps)
          tracker.wake()
          return outcome
        },
      },
    }),
  )
  const set = createQueueMetrics(worker.metrics, measuredQueues())
  stack.use(startDepthWatch({ read: readDepths, set, everyMs: DEPTHS_MS, log }))
  stack.use(watchOrganizations(worker))
  const deadLetters = createDeadLetterDeps(worker, stack)
  const replayer = stack.use(startReplayer(deadLetters, signal))
  const api = stack.use(
    await startApi(
      { host: settings.control.host, port: settings.control.port, readTokens },
      { ...deps, deadLetters, readDepths, wake: () => tracker.wake(), wakeReplayer: () => replayer.wake(), signal },
    ),
  )
  log.info({ url: api.url }, 'The API listens')
  const owned = stack.move()
  return { url: api.url, [Symbol.asyncDispose]: () => owned.disposeAsync() }
}

/** Lets Prometheus know how the organisations are. */
function watchOrganizations({ settings, store, metrics, log }: Worker): AsyncDisposable {
  let last: FactsRead | undefined
  createOrganizationMetrics(metrics, {
    organizations: settings.organizations.map(({ name, exchange }) => {
      return { id: organizationIdOf(name), name, leasesMax: exchange.shellsPerAccountMax }
    }),
    intervals: syncIntervals(settings.schedule, new Date()),
    read: () => last,
    nowMs: Date.now,
  })
  const set = (read: FactsRead): void => {
    last = read
  }
  return startFactsWatch({ db: store.db, log, nowMs: Date.now, set })
}

function createDeadLetterDeps({ store, broker, log }: Worker, stack: AsyncDisposableStack): DeadLetterDeps {
  const locks = new AdvisoryLocks({
    pool: store.pool,
    applicationName: 'gatehouse-control-locks',
    onLost: (error) => log.warn({ err: error }, 'The connection that holds the dead queues was lost'),
  })
  stack.use(locks)
  return { db: store.db, pool: store.pool, broker, locks, log, now: () => new Date() }
}

/** A later version has a sync of every organisation, opened with it, whose commands carry the news. */
async function announcePolicy(policyVersion: number, deps: ControlDeps, signal: AbortSignal): Promise<void> {
  deps.log.info({ policyVersion }, 'A new version of the policy is in force')
  if (policyVersion > 1) await publishMissingCommands(deps, 0, signal)
  else await deps.broker.publish('policy.changed', { policyVersion }, { lane: 'bulk', signal })
}
