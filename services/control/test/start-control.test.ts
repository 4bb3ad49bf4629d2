import { randomUUID } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { connectBroker, queueNamesOf, SERVICE_NAMES } from '@gatehouse/broker'
import { type DiscoverySync, done, PermanentError } from '@gatehouse/messages'
import { createDatabase, type Store } from '@gatehouse/store'
import { Tracer } from '@gatehouse/tracing'
import { Registry, type Worker } from '@gatehouse/worker'
import { expect, it } from 'vitest'
import { createTestDatabase } from '../../../test/environment/create-test-database.ts'
import { createVhost } from '../../../test/environment/create-vhost.ts'
import { startControl } from '../src/start-control.ts'
import { createSettings, ORGANIZATION } from './control-fixture.ts'

const log = { debug() {}, info() {}, warn() {}, error() {} }

/** Two copies of control on a real broker and database, and stand-ins for the workers that carry a sync out. */
async function startSystem(signal: AbortSignal) {
  await using stack = new AsyncDisposableStack()
  const directory = await mkdtemp(join(tmpdir(), 'gatehouse-control-'))
  stack.defer(() => rm(directory, { recursive: true }))
  const tokenFile = join(directory, 'token')
  await writeFile(tokenFile, 'token-of-the-test\n')
  const database = stack.use(await createTestDatabase())
  const vhost = stack.use(await createVhost())
  const connect = async (connectionName: string, owner: AsyncDisposableStack = stack) => {
    const options = {
      url: vhost.amqpUrl,
      connectionName,
      log,
      unconfirmedMax: 50,
      prefetchMax: 50,
      maxAttempts: 3,
      laterAgeMsMax: 60_000,
    }
    return owner.use(await connectBroker(options, signal))
  }
  const settings = { ...createSettings({}), control: { host: '127.0.0.1', port: 0, tokenFile }, schedule: SILENT }
  const copies = []
  const stores: Store[] = []
  for (const name of ['one', 'two']) {
    const store = stack.use(
      createDatabase({ url: database.url, applicationName: name, connectionsMax: 5, onConnectionError: () => {} }),
    )
    stores.push(store)
    const worker = {
      name: 'control',
      settings,
      log,
      tracer: new Tracer(),
      metrics: new Registry(),
      broker: await connect(name),
      store,
      signal,
    }
    copies.push(stack.use(await startControl(worker as unknown as Worker)))
  }
  const owned = stack.move()
  const query = async (text: string) => {
    await stores[0]?.pool.query(text)
  }
  return { copies, query, connect: (name: string) => connect(name, owned), [Symbol.asyncDispose]: () => owned.disposeAsync() }
}

const SILENT = { enabled: false, fullSync: '0 2 * * *', deltaSync: '*/15 * * * *' }

it('carries a sync from the API to its end over a real broker, whichever copy is asked', async ({ signal }) => {
  await using system = await startSystem(signal)
  const workers = await system.connect('workers')
  const commands: DiscoverySync[] = []
  await using _discovery = await workers.consume({
    service: 'discovery',
    concurrency: 1,
    handlerTimeoutMs: 10_000,
    handlers: {
      'discovery.sync': async (message, context) => {
        commands.push(message)
        const fields = {
          syncRunId: message.syncRunId,
          organizationId: message.organizationId,
          stage: 'discovered',
          counts: {},
        } as const
        await workers.publish('sync.progressed', fields, { lane: context.lane, causedBy: context, signal })
        return done
      },
    },
  })
  await using _lookup = await workers.consume({
    service: 'compliance-lookup',
    concurrency: 1,
    handlerTimeoutMs: 10_000,
    handlers: {
      'policy.changed': () => Promise.resolve(done),
      'compliance-lookup.refresh': async (message, context) => {
        const fields = { syncRunId: message.syncRunId, stage: 'looked-up', counts: {} } as const
        await workers.publish('sync.progressed', fields, { lane: context.lane, causedBy: context, signal })
        return done
      },
    },
  })
  const call = async (copy: number, method: string, path: string, body?: object) => {
    const headers = { authorization: 'Bearer token-of-the-test', 'content-type': 'application/json', connection: 'close' }
    const answer = await fetch(`${system.copies[copy]?.url}${path}`, {
      method,
      headers,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    return (await answer.json()) as Record<string, unknown>
  }

  const { syncRunId } = await call(0, 'POST', `/api/exchangeConnectors/${ORGANIZATION}/sync`, { syncType: 'fullSync' })
  let run = await call(1, 'GET', `/api/syncRuns/${syncRunId}`)
  while (run['status'] === 'running') {
    await delay(50, undefined, { signal })
    run = await call(1, 'GET', `/api/syncRuns/${syncRunId}`)
  }

  expect(run).toMatchObject({ status: 'succeeded', brake: 'released', problem: null })
  expect(commands).toMatchObject([{ organizationId: ORGANIZATION, syncType: 'fullSync', syncRunId }])
  expect((await call(1, 'GET', `/api/exchangeConnectors/${ORGANIZATION}`))['status']).toBe('connected')
})

it('commands a sync again whose messages the broker has lost', async ({ signal }) => {
  await using system = await startSystem(signal)
  const headers = { authorization: 'Bearer token-of-the-test', 'content-type': 'application/json', connection: 'close' }
  const body = JSON.stringify({ syncType: 'fullSync' })
  const answer = await fetch(`${system.copies[0]?.url}/api/exchangeConnectors/${ORGANIZATION}/sync`, {
    method: 'POST',
    headers,
    body,
  })
  const { syncRunId } = (await answer.json()) as { syncRunId: string }
  const admin = await system.connect('admin')
  const channel = await admin.openChannel(signal)
  const queues = SERVICE_NAMES.flatMap(queueNamesOf)

  const purged = []
  for (const queue of queues) purged.push((await channel.purgeQueue(queue)).messageCount)
  await system.query(`update sync_runs set started_at = started_at - interval '16 minutes'`)
  const waiting = async (queue: string) => (await channel.checkQueue(queue)).messageCount
  while ((await waiting('gh.discovery')) === 0 || (await waiting('gh.compliance-lookup')) === 0)
    await delay(50, undefined, { signal })

  const message = await channel.get('gh.discovery')
  const shown = await fetch(`${system.copies[1]?.url}/api/syncRuns/${syncRunId}`, { headers })
  const { status, counts } = (await shown.json()) as { status: string; counts: Record<string, number> }

  expect(purged.reduce((sum, count) => sum + count)).toBeGreaterThanOrEqual(3)
  expect(JSON.parse(message === false ? '{}' : message.content.toString())).toMatchObject({ type: 'discovery.sync', syncRunId })
  expect([status, Object.keys(counts).filter((name) => name.startsWith('requested'))]).toEqual(['running', []])
})

it('shows the dead letters of every worker', async ({ signal }) => {
  await using system = await startSystem(signal)
  const workers = await system.connect('workers')
  const died = Promise.withResolvers<void>()
  await using _notification = await workers.consume({
    service: 'notification',
    concurrency: 1,
    handlerTimeoutMs: 10_000,
    handlers: {
      'notification.send-notice': () => {
        died.resolve()
        return Promise.reject(new PermanentError('test-refused', 'It is refused'))
      },
    },
  })
  await workers.publish('notification.send-notice', { noticeId: randomUUID() }, { lane: 'urgent', signal })
  await died.promise
  const read = async (path: string) => {
    const headers = { authorization: 'Bearer token-of-the-test', connection: 'close' }
    return (await (await fetch(`${system.copies[0]?.url}${path}`, { headers })).json()) as Record<string, unknown>
  }

  let list = await read('/api/deadLetters')
  while ((list['value'] as unknown[]).length === 0) {
    await delay(50, undefined, { signal })
    list = await read('/api/deadLetters')
  }
  const [letter] = list['value'] as { messageId: string }[]

  expect(letter).toMatchObject({ reason: 'test-refused', service: 'notification', handler: 'notification.send-notice' })
  expect(await read(`/api/deadLetters/${letter?.messageId}`)).toMatchObject({ body: { type: 'notification.send-notice' } })
})
