import { createJointDependency } from '@gatehouse/broker'
import { AdvisoryLocks } from '@gatehouse/store'
import type { Worker } from '@gatehouse/worker'
import { countRecords } from './count-records.ts'
import { createEnforcementMetrics } from './create-enforcement-metrics.ts'
import { createOrganizations } from './create-organizations.ts'
import { describeRunspaces } from './describe-runspaces.ts'
import type { EnforcementDeps } from './enforcement-deps.ts'
import { createEnforcementStore, warmEnforcementStore } from './enforcement-store.ts'
import { handleActOnDevice } from './handle-act-on-device.ts'
import { handleMailboxDecided } from './handle-mailbox-decided.ts'
import { handleReconcileOrganization } from './handle-reconcile-organization.ts'
import type { Organization } from './organization.ts'
import { Slots } from './slots.ts'
import { startPruning } from './start-pruning.ts'

/** Above what one message may take: its turn in the queue for a runspace, and the cmdlet itself. RabbitMQ allows 30 minutes. */
const HANDLER_MS = 15 * 60_000

/** Starts consuming; disposing lets the work in hand finish, then closes the shells. */
export async function startEnforcement(worker: Worker): Promise<AsyncDisposable> {
  await using stack = new AsyncDisposableStack()
  const { broker, store, settings, log } = worker
  const locks = new AdvisoryLocks({
    pool: store.pool,
    applicationName: 'gatehouse-enforcement-locks',
    onLost: (error) => log.warn({ err: error }, 'The connection that holds the mailbox locks was lost'),
  })
  stack.use(locks)
  await locks.open()
  const organizations = createOrganizations(worker)
  for (const { connection } of organizations) stack.use(connection)
  const inHandMax = organizations.reduce((sum, each) => sum + each.inHandMax, 0)
  const concurrency = Math.min(inHandMax, settings.broker.prefetchMax)
  const deps: EnforcementDeps = {
    organizations: new Map(organizations.map((each) => [each.id, each])),
    slots: new Slots({ max: concurrency, now: Date.now }),
    pool: store.pool,
    store: countRecords(createEnforcementStore(store.pool), createEnforcementMetrics(worker.metrics, namesById(organizations))),
    locks,
    broker,
    maxAttempts: settings.broker.maxAttempts,
    log,
  }
  worker.describeResources(() => organizations.map(describeRunspaces))
  await warmEnforcementStore(store.pool)
  stack.use(startPruning(store.pool, log))
  const consumer = await broker.consume({
    service: 'enforcement',
    concurrency,
    handlerTimeoutMs: HANDLER_MS,
    dependencies: [
      createJointDependency(
        'Exchange',
        Array.from(organizations, (each) => () => each.breaker.pause),
      ),
    ],
    handlers: {
      'mailbox.decided': (message, context, signal) => handleMailboxDecided(message, context, deps, signal),
      'enforcement.reconcile-organization': (message, context, signal) =>
        handleReconcileOrganization(message, context, deps, signal),
      'enforcement.act-on-device': (message, context, signal) => handleActOnDevice(message, context, deps, signal),
    },
  })
  stack.use(consumer)
  for (const { id, connection, noteFailure } of organizations) {
    // What is wrong with an Exchange is in the log when the worker has started.
    connection.use(worker.signal).catch((error: unknown) => {
      if (worker.signal.aborted) return
      noteFailure(error)
      log.warn({ err: error, organizationId: id }, 'Exchange cannot be connected; the next write tries again')
    })
  }
  return stack.move()
}

function namesById(organizations: readonly Organization[]): ReadonlyMap<string, string> {
  return new Map(organizations.map(({ id, name }) => [id, name]))
}
