import { createConnector, type Exchange, raceAbort } from '@gatehouse/exchange'
import { AdvisoryLocks, createAccountRecords } from '@gatehouse/store'
import { type OrganizationSettings, organizationIdOf, readSecret, type Worker } from '@gatehouse/worker'
import type { DiscoveryDeps, Organization } from './discovery-deps.ts'
import { handleDiscoverySync } from './handle-discovery-sync.ts'

/** Above what reading an organisation may take; RabbitMQ allows 30 minutes. */
const HANDLER_MS = 25 * 60_000
/** One for each of the two bulk lists. */
const SHELLS_MAX = 2
/** Enough to outrun whoever decides; more would only take the machine from those who write the first of them. */
const PUBLISH_MAX = 50
const SYNCS_MAX = 16

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
  const organizations = settings.organizations.map((each) => createOrganization(each, worker, stack))
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
    if (!signal.aborted)
      log.warn({ err: error, organization: organization.name }, 'Exchange cannot be connected; the next sync tries again')
  })
}

function createOrganization(
  { name, exchange }: OrganizationSettings,
  worker: Worker,
  stack: AsyncDisposableStack,
): Organization {
  const id = organizationIdOf(name)
  const { pool } = worker.store
  const log = worker.log.child({ organization: name })
  const stop = new AbortController()
  let connected: Promise<Exchange> | undefined
  const connect = createConnector(exchange, {
    purpose: 'read',
    shellsMax: SHELLS_MAX,
    env: worker.env,
    readSecret,
    ...createAccountRecords({ pool, organizationId: id, workerName: worker.name, exchange }),
    log,
  })
  const connectAnew = () => {
    const connecting = connect(stop.signal)
    connecting.catch(() => {
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
    isParallel: exchange.enableParallelCommandSupport,
    refusedDevices: undefined,
    connect: async (signal) => {
      connected ??= connectAnew()
      return await raceAbort(connected, signal)
    },
  }
}
