import { Breaker } from '@gatehouse/broker'
import { createConnector, type Exchange, raceAbort, SESSION_FAULT_CODES } from '@gatehouse/exchange'
import { type Admission, AdvisoryLocks, createAccountRecords, createAdmission } from '@gatehouse/store'
import {
  createExchangeFailureCounter,
  createExchangeMetrics,
  type OrganizationSettings,
  organizationIdOf,
  readSecret,
  type Worker,
} from '@gatehouse/worker'
import type { DiscoveryDeps, Organization } from './discovery-deps.ts'
import { handleDiscoverySync } from './handle-discovery-sync.ts'

/** Above what reading an organisation may take; RabbitMQ allows 30 minutes. */
const HANDLER_MS = 25 * 60_000
/** One for each of the two bulk lists. */
const SHELLS_MAX = 2
/** Enough to outrun whoever decides; more would only take the machine from those who write the first of them. */
const PUBLISH_MAX = 50
const SYNCS_MAX = 16
/** Connections to the database that all leases of shells may use at once. */
const LEASE_CONNECTIONS = 2

/** Starts consuming; disposing lets the sync in hand finish, then closes the shells. */
export async function startDiscovery(worker: Worker): Promise<AsyncDisposable> {
  await using stack = new AsyncDisposableStack()
  const { broker, store, settings, log } = worker
  const locks = new AdvisoryLocks({
    pool: store.pool,
    applicationName: 'gatehouse-discovery-locks',
    onLost: (error) => log.warn({ err: error }, 'The connection that holds the locks was lost'),
  })
  stack.use(locks)
  const organizations = createOrganizations(worker, stack)
  const deps: DiscoveryDeps = {
    organizations: new Map(organizations.map((each) => [each.id, each])),
    pool: store.pool,
    locks,
    broker,
    maxAttempts: settings.broker.maxAttempts,
    publishMax: Math.min(PUBLISH_MAX, settings.broker.unconfirmedMax),
    log,
  }
  const consumer = await broker.consume({
    service: 'discovery',
    concurrency: Math.min(organizations.length + 1, SYNCS_MAX),
    handlerTimeoutMs: HANDLER_MS,
    handlers: { 'discovery.sync': (message, context, signal) => handleDiscoverySync(message, context, deps, signal) },
  })
  stack.use(consumer)
  for (const organization of organizations) connectAhead(organization, worker)
  return stack.move()
}

/** What is wrong with an Exchange is in the log when the worker has started, and a first sync finds its shells open. */
function connectAhead(organization: Organization, { log, signal }: Worker): void {
  organization.connect(signal).catch((error: unknown) => {
    if (signal.aborted) return
    organization.noteFailure(error)
    log.warn({ err: error, organizationId: organization.id }, 'Exchange cannot be connected; the next sync tries again')
  })
}

/** The organisations of the settings, and their connections as Prometheus sees them. */
function createOrganizations(worker: Worker, stack: AsyncDisposableStack): Organization[] {
  const { metrics, settings } = worker
  const admit = createAdmission(LEASE_CONNECTIONS)
  const names = settings.organizations.map(({ name }) => name)
  const countFailure = createExchangeFailureCounter(metrics, names, SESSION_FAULT_CODES)
  const measured: Parameters<typeof createExchangeMetrics>[1][number][] = []
  const organizations = settings.organizations.map((each) => {
    let exchange: Exchange | undefined
    const onConnected = (connected: Exchange): void => {
      exchange = connected
    }
    const read = () => (exchange === undefined ? undefined : { url: exchange.url, stats: exchange.stats() })
    measured.push({ organization: each.name, primaryUrl: each.exchange.url, runspacesMax: shellsOf(each), read })
    const noteFailure = (error: unknown): void => countFailure(each.name, error)
    return createOrganization(each, { worker, stack, admit, onConnected, noteFailure })
  })
  createExchangeMetrics(metrics, measured)
  return organizations
}

function shellsOf({ exchange }: OrganizationSettings): number {
  return exchange.enableParallelCommandSupport ? Math.min(exchange.runspacesMax, SHELLS_MAX) : 1
}

function createOrganization(
  { name, exchange }: OrganizationSettings,
  o: Pick<Organization, 'noteFailure'> & {
    worker: Worker
    stack: AsyncDisposableStack
    admit: Admission
    onConnected: (exchange: Exchange) => void
  },
): Organization {
  const { worker, stack, admit } = o
  const id = organizationIdOf(name)
  const { pool } = worker.store
  const log = worker.log.child({ organizationId: id, organization: name })
  const stop = new AbortController()
  let connected: Promise<Exchange> | undefined
  const connect = createConnector(exchange, {
    purpose: 'read',
    shellsMax: SHELLS_MAX,
    env: worker.env,
    readSecret,
    ...createAccountRecords({ pool, organizationId: id, workerName: worker.name, exchange, admit }),
    log,
    trace: { tracer: worker.tracer, organizationId: id },
  })
  const connectAnew = () => {
    const connecting = connect(stop.signal)
    connecting.then(o.onConnected, () => {
      if (connected === connecting) connected = undefined
    })
    return connecting
  }
  stack.defer(async () => {
    stop.abort(new Error('The worker stops'))
    const [settled] = await Promise.allSettled([connected])
    if (settled.status === 'fulfilled') await settled.value?.[Symbol.asyncDispose]()
  })
  return {
    id,
    name,
    breaker: new Breaker({ now: Date.now, random: Math.random }),
    isParallel: exchange.enableParallelCommandSupport,
    refusedDevices: undefined,
    noteFailure: o.noteFailure,
    connect: async (signal) => {
      connected ??= connectAnew()
      return await raceAbort(connected, signal)
    },
    disconnect: async () => {
      const before = connected
      connected = undefined
      const [settled] = await Promise.allSettled([before])
      if (settled.status === 'fulfilled') await settled.value?.[Symbol.asyncDispose]()
    },
  }
}
