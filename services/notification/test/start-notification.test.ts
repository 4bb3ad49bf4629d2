import { randomUUID } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { connectBroker } from '@gatehouse/broker'
import { createPopulation, startExchangeSimulator } from '@gatehouse/simulators'
import { createDatabase } from '@gatehouse/store'
import { loadSettings, organizationIdOf, Registry, type Worker } from '@gatehouse/worker'
import { expect, it } from 'vitest'
import { createTestDatabase } from '../../../test/environment/create-test-database.ts'
import { createVhost } from '../../../test/environment/create-vhost.ts'
import { startNotification } from '../src/start-notification.ts'

const NOTICES = 60
const ORGANIZATION = organizationIdOf('contoso')
const log = { debug() {}, info() {}, warn() {}, error() {} }

it('mails every announced block once, with two copies, a busy server and lost answers', async ({ signal }) => {
  await using stack = new AsyncDisposableStack()
  const directory = await mkdtemp(join(tmpdir(), 'gatehouse-notification-'))
  stack.defer(() => rm(directory, { recursive: true }))
  const database = stack.use(await createTestDatabase())
  const vhost = stack.use(await createVhost())
  const simulator = await startExchangeSimulator({
    population: createPopulation({ devices: 10, seed: 3 }),
    port: 0,
    latencyMs: 0,
    faults: { seed: 5, ews: { busyPercent: 5, backOffMs: 200, lostAnswerPercent: 10 } },
  })
  stack.defer(() => simulator.stop())
  const passwordFile = join(directory, 'password')
  await writeFile(passwordFile, simulator.notificationPassword)
  const settings = settingsOf({ ewsUrl: simulator.ewsUrl, user: simulator.notificationUser, passwordFile })
  const open = (name: string) =>
    stack.use(createDatabase({ url: database.url, applicationName: name, connectionsMax: 8, onConnectionError: () => {} }))
  const connect = async (connectionName: string) => {
    const options = {
      url: vhost.amqpUrl,
      connectionName,
      log,
      unconfirmedMax: 50,
      prefetchMax: 50,
      maxAttempts: 8,
      laterAgeMsMax: 600_000,
    }
    return stack.use(await connectBroker({ ...options, retry: { backoffBaseMs: 50, backoffCapMs: 200 } }, signal))
  }
  const store = open('test')
  await seed(store)
  const publisher = await connect('publisher')
  for (const name of ['one', 'two']) {
    const worker = {
      name: 'notification',
      settings,
      log,
      metrics: new Registry(),
      broker: await connect(name),
      store: open(name),
      signal,
    }
    stack.use(await startNotification(worker as unknown as Worker))
  }

  const changes = await store.db.selectFrom('access_changes').select(['id', 'mailbox_id']).execute()
  for (const change of [...changes, ...changes.slice(0, 20)]) {
    const fields = { organizationId: ORGANIZATION, mailboxId: change.mailbox_id, changeId: change.id }
    await publisher.publish('access.changed', fields, { lane: 'bulk', signal })
  }
  const sent = async () => (await store.db.selectFrom('notices').select('id').where('state', '=', 'sent').execute()).length
  while ((await sent()) < NOTICES) await delay(100, undefined, { signal })

  const answer = await fetch(`${simulator.simulatorUrl}/state`, { headers: { connection: 'close' } })
  const state = (await answer.json()) as { mails: { to: string[]; stamp: string }[]; mailsTwice: string[] }
  expect(state.mailsTwice).toEqual([])
  expect(new Set(state.mails.map((mail) => mail.stamp)).size).toBe(NOTICES)
  expect(state.mails).toHaveLength(NOTICES)
}, 90_000)

function settingsOf(mail: { ewsUrl: string; user: string; passwordFile: string }) {
  const { user, passwordFile } = mail
  const text = JSON.stringify({
    database: { url: 'postgres://localhost/unused' },
    broker: { url: 'amqp://localhost/unused' },
    graph: { tenantId: randomUUID(), clientId: randomUUID(), clientSecretFile: passwordFile },
    organizations: [
      {
        name: 'contoso',
        exchange: { url: 'https://mail.contoso.com/powershell', user, passwordFile },
        mail: { exchangeWebServiceURL: mail.ewsUrl, user, passwordFile, messagesPerMinute: 1_000 },
      },
    ],
    control: { tokenFile: passwordFile },
  })
  return loadSettings({ text, env: {} })
}

async function seed({ db }: ReturnType<typeof createDatabase>): Promise<void> {
  const at = new Date()
  await db
    .insertInto('organizations')
    .values({ id: ORGANIZATION, name: 'contoso', report_only: false, created_at: at })
    .execute()
  for (let index = 0; index < NOTICES; index += 1) {
    const mailboxId = randomUUID()
    await db
      .insertInto('mailboxes')
      .values({
        id: mailboxId,
        organization_id: ORGANIZATION,
        distinguished_name: `CN=${index}`,
        primary_smtp_address: `user${index}@contoso.com`,
        display_name: `User ${index}`,
        active_sync_enabled: true,
        allowed_device_ids: [],
        blocked_device_ids: [],
        observed_at: at,
      })
      .execute()
    await db
      .insertInto('access_changes')
      .values({
        id: randomUUID(),
        organization_id: ORGANIZATION,
        mailbox_id: mailboxId,
        decision_version: 1,
        state: 'announced',
        cmdlet: 'Set-CASMailbox',
        plan: JSON.stringify({ allowAdd: [], allowRemove: [], blockAdd: ['x'], blockRemove: [] }),
        old_allowed: [],
        old_blocked: [],
        new_allowed: [],
        new_blocked: ['x'],
        announced_at: at,
      })
      .execute()
  }
}
