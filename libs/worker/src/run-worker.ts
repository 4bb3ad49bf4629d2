import { Breaker, type BrokerConnection, connectBroker, createDependency, type Dependency } from '@gatehouse/broker'
import { PermanentError } from '@gatehouse/messages'
import { isDatabaseUnreachable, leaseHolderOf, type Store } from '@gatehouse/store'
import type { Tracer } from '@gatehouse/tracing'
import type { Registry } from 'prom-client'
import { connectStore } from './connect-store.ts'
import type { Logger } from './create-logger.ts'
import { createBrokerMetrics } from './create-metrics.ts'
import { createStateMetrics } from './create-state-metrics.ts'
import { type Frame, type Parts, runFrame, type Service } from './run-frame.ts'
import type { Settings } from './settings-schema.ts'
import { brokerCredentialsOf, vhostOf } from './settings-secrets.ts'
import { startClockWatch } from './start-clock-watch.ts'
import { startHeartbeat } from './start-heartbeat.ts'
import { waitForTopology } from './wait-for-topology.ts'
import { createWorkerStateReader, type WorkResource } from './worker-state.ts'

const HOUR_MS = 3_600_000
const HEARTBEAT_MS = 2_000
/** A database that restarts is back within seconds. */
const DATABASE_PAUSE = { pauseMsMin: 1_000, pauseMsMax: 30_000 }

export type WorkerName = 'control' | 'discovery' | 'compliance-lookup' | 'enforcement' | 'notification'

/** What a service gets to work with. It must not close any of it: `runWorker` does, in reverse, after the service's own part. */
export type Worker = {
  readonly name: WorkerName
  readonly settings: Settings
  /** The environment of the process, for those that it starts. */
  readonly env: Readonly<Record<string, string | undefined>>
  readonly log: Logger
  readonly metrics: Registry
  readonly tracer: Tracer
  readonly broker: BrokerConnection
  readonly store: Store
  /** Whatever the worker's messages wait for, besides their dependencies; asked for every few seconds. */
  readonly describeResources: (read: () => readonly WorkResource[]) => void
  /** Aborted when the process is asked to stop: take no new work. */
  readonly signal: AbortSignal
}

export type RunWorkerOptions = {
  name: WorkerName
  /** The arguments after the script's name: `--config <file>`. */
  argv: string[]
  env: Record<string, string | undefined>
  /** Starts the service; what it returns is disposed first when the process stops, and waits for the work in hand. */
  start: (worker: Worker) => Promise<Service>
}

type WorkerParts = Parts & AsyncDisposable & Pick<Worker, 'broker' | 'store' | 'describeResources'>

/**
 * The frame every worker stands in: settings, log, metrics, health server, database, broker; then the service, until SIGTERM
 * or SIGINT. Prints one JSON line on standard output when ready. It sets the exit code and never throws for what an
 * administrator can cause; stop stages and exit codes are in the package's README.
 */
export async function runWorker(options: RunWorkerOptions): Promise<void> {
  await runFrame<WorkerParts>({
    name: options.name,
    argv: options.argv,
    env: options.env,
    connect: (frame, signal) => connectParts(options.name, frame, signal),
    start: ({ settings, log, metrics, tracer, signal }, { broker, store, describeResources }) =>
      options.start({
        name: options.name,
        settings,
        env: options.env,
        log,
        metrics,
        tracer,
        broker,
        store,
        describeResources,
        signal,
      }),
  })
}

async function connectParts(name: WorkerName, frame: Frame, outer: AbortSignal): Promise<WorkerParts> {
  const { settings, log } = frame
  await using stack = new AsyncDisposableStack()
  const given = new AbortController()
  const signal = AbortSignal.any([outer, given.signal])
  // One that is refused for good ends the wait for the other.
  const endAtRefusal = (error: unknown): never => {
    if (error instanceof PermanentError) given.abort(error)
    throw error
  }
  const [store, broker] = await settleAll([
    connectStore({ name, settings, log }, signal)
      .then((one) => stack.use(one))
      .catch(endAtRefusal),
    connectPreparedBroker(name, frame, signal)
      .then((one) => stack.use(one))
      .catch(endAtRefusal),
  ])
  const { clockSkewSecondsMax: secondsMax } = settings.worker
  const clock = stack.use(await startClockWatch({ pool: store.pool, secondsMax, metrics: frame.metrics, log }))
  const describeResources = describeState({ name, frame, broker, store, stack })
  const owned = stack.move()
  return {
    broker,
    store,
    describeResources,
    readiness: {
      broker: () => Promise.resolve(broker.state === 'ready' ? undefined : broker.state),
      database: async () => {
        await store.pool.query('select 1')
        return undefined
      },
      clock: clock.check,
    },
    liveness: { broker: () => Promise.resolve(broker.state === 'closed' && !frame.signal.aborted ? 'closed' : undefined) },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

/** The broker, once the topology is there. */
async function connectPreparedBroker(
  name: WorkerName,
  { settings, log, metrics, tracer }: Frame,
  signal: AbortSignal,
): Promise<BrokerConnection> {
  const broker = await connectBroker(
    {
      ...brokerCredentialsOf(settings, name, log),
      connectionName: `gatehouse-${name}`,
      log,
      unconfirmedMax: settings.broker.unconfirmedMax,
      prefetchMax: settings.broker.prefetchMax,
      maxAttempts: settings.broker.maxAttempts,
      laterAgeMsMax: settings.broker.laterAgeHoursMax * HOUR_MS,
      metrics: createBrokerMetrics(metrics),
      tracer,
      dependencies: [createDatabaseDependency()],
    },
    signal,
  )
  try {
    await waitForTopology({ broker, name, vhost: vhostOf(settings), log }, signal)
    return broker
  } catch (error) {
    await broker[Symbol.asyncDispose]()
    throw error
  }
}

/** Lets Prometheus and `gatehouse status` know how this copy is. */
function describeState(o: {
  name: WorkerName
  frame: Frame
  broker: BrokerConnection
  store: Store
  stack: AsyncDisposableStack
}): Worker['describeResources'] {
  let resources: () => readonly WorkResource[] = () => []
  const createReader = () =>
    createWorkerStateReader({ stats: () => o.broker.stats(), resources: () => resources(), nowMs: Date.now })
  createStateMetrics(o.frame.metrics, createReader())
  const { log } = o.frame
  const beat = { holder: leaseHolderOf(o.name), worker: o.name, everyMs: HEARTBEAT_MS, read: createReader(), log }
  o.stack.use(startHeartbeat({ ...beat, pool: o.store.pool }))
  return (read) => {
    resources = read
  }
}

/** No worker can do anything without PostgreSQL, so each stops taking messages while it is away. */
function createDatabaseDependency(): Dependency {
  return createDependency({
    name: 'PostgreSQL',
    breaker: new Breaker({ now: Date.now, random: Math.random, ...DATABASE_PAUSE }),
    judge: (error) =>
      isDatabaseUnreachable(error) ? { reason: error instanceof Error ? error.message : 'It does not answer' } : undefined,
  })
}

/**
 * Like Promise.all, but does not leave the others running when one fails: what they open late must still be closed. Of several
 * failures the one is thrown that waiting would not have mended.
 */
async function settleAll<T extends readonly unknown[]>(promises: { readonly [Key in keyof T]: Promise<T[Key]> }): Promise<T> {
  const settled = await Promise.allSettled(promises)
  const failures = settled.filter((one) => one.status === 'rejected').map(({ reason }) => reason as unknown)
  const refusal = failures.find((error) => error instanceof PermanentError)
  if (refusal !== undefined) throw refusal
  return (await Promise.all(promises)) as unknown as T
}
