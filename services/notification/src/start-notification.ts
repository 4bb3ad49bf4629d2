import { createJointDependency, type Pause } from '@gatehouse/broker'
import { createEwsSender, type MailSender } from '@gatehouse/mail'
import { AdvisoryLocks, readNotice, readNoticeFacts, warmConnections } from '@gatehouse/store'
import { createSecretReader, type OrganizationSettings, organizationIdOf, readSecret, type Worker } from '@gatehouse/worker'
import { createNoticeMetrics } from './create-notice-metrics.ts'
import { handleAccessChanged } from './handle-access-changed.ts'
import { handleSendNotice } from './handle-send-notice.ts'
import type { NotificationDeps } from './notification-deps.ts'
import { createOutbox, type Outbox } from './outbox.ts'

/** Messages in hand at once. Waiting for a slot of an organisation costs nothing, so a slow server never stops the others. */
const CONCURRENCY = 64
const HANDLER_MS = 300_000
const NOTHING = '00000000-0000-0000-0000-000000000000'

/** Starts sending notices: one sender and one outbox for each organisation with mail. */
export async function startNotification(worker: Worker): Promise<AsyncDisposable> {
  await using stack = new AsyncDisposableStack()
  const outboxes = createOutboxes(worker, stack)
  const { store, log } = worker
  const locks = new AdvisoryLocks({
    pool: store.pool,
    applicationName: 'gatehouse-notification-locks',
    onLost: (error) => log.warn({ err: error }, 'The connection that holds the notice locks was lost'),
  })
  stack.use(locks)
  await locks.open()
  await warmConnections(store.pool, async (connection) => {
    await readNoticeFacts(connection, NOTHING)
    await readNotice(connection, NOTHING)
  })
  const deps: NotificationDeps = { pool: store.pool, locks, outboxes, log, now: () => new Date() }
  stack.use(
    await worker.broker.consume({
      service: 'notification',
      concurrency: CONCURRENCY,
      handlerTimeoutMs: HANDLER_MS,
      dependencies: [createJointDependency('Mail server', mailPausesOf(worker.settings.organizations, outboxes))],
      handlers: {
        'access.changed': (message, context, signal) => handleAccessChanged(message, deps, context, signal),
        'notification.send-notice': (message, context, signal) => handleSendNotice(message, deps, context, signal),
      },
    }),
  )
  return stack.move()
}

function createOutboxes(worker: Worker, stack: AsyncDisposableStack): ReadonlyMap<string, Outbox> {
  const mailed = worker.settings.organizations.filter(({ mail }) => mail.enabled)
  const names = mailed.map(({ name }) => name)
  const count = createNoticeMetrics(worker.metrics, names)
  return new Map(
    mailed.map((organization) => {
      const { name, mail } = organization
      const sender = stack.use(createSender(organization, worker))
      const settings = { sender, settings: mail, sendsMax: mail.concurrency }
      return [organizationIdOf(name), createOutbox({ ...settings, count: (outcome) => count(name, outcome) })]
    }),
  )
}

/** An organisation without mail is never paused: its notices are only put aside. */
function mailPausesOf(
  organizations: readonly OrganizationSettings[],
  outboxes: ReadonlyMap<string, Outbox>,
): (() => Pause | undefined)[] {
  return organizations.map(({ name }) => {
    const outbox = outboxes.get(organizationIdOf(name))
    return () => outbox?.lastPause
  })
}

function createSender({ mail }: OrganizationSettings, worker: Worker): MailSender & AsyncDisposable {
  return createEwsSender({
    url: mail.exchangeWebServiceURL,
    user: mail.user,
    password: createSecretReader(() => readSecret(mail.passwordFile), worker.log),
    ca: mail.caFile === undefined ? undefined : readSecret(mail.caFile),
    from: mail.from,
    log: worker.log,
    tracer: worker.tracer,
    connectionsMax: mail.concurrency,
  })
}
