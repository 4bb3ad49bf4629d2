import { type BrokerLog, connectBroker, SERVICE_NAMES } from '@gatehouse/broker'
import { expect } from 'vitest'
import type { BrokerUnderTest } from '../../../libs/broker/test/broker-under-test.ts'
import { onEachBroker } from './on-each-broker.ts'

let broker: BrokerUnderTest
const it = onEachBroker(
  (started) => {
    broker = started
  },
  { fresh: true },
)

it('lets every worker see, with the rights it has, that its topology is whole', async () => {
  const missing = await Promise.all(
    SERVICE_NAMES.map(async (service) => {
      await using connection = await broker.connect({ as: service })
      return await connection.findMissingTopology(service, broker.signal)
    }),
  )

  expect(missing).toEqual(SERVICE_NAMES.map(() => []))
})

it('lets a worker see which of its queues and exchanges are missing, all of them', async () => {
  await broker.manage({ method: 'DELETE', path: `/api/queues/${broker.vhost}/gh.discovery.urgent` })
  await broker.manage({ method: 'DELETE', path: `/api/exchanges/${broker.vhost}/gh.retry.l03` })
  await using discovery = await broker.connect({ as: 'discovery' })
  await using notification = await broker.connect({ as: 'notification' })

  expect(await discovery.findMissingTopology('discovery', broker.signal)).toEqual([
    'queue gh.discovery.urgent',
    'exchange gh.retry.l03',
  ])
  expect(await notification.findMissingTopology('notification', broker.signal)).toEqual(['exchange gh.retry.l03'])
})

it('says which virtual host it is not let into, and which password is wrong', async () => {
  const elsewhere = new URL(broker.url)
  elsewhere.pathname = '/not-there'
  const closed = `${broker.vhost}-closed`
  await broker.manage({ method: 'PUT', path: `/api/vhosts/${closed}`, body: {} })

  const failures = [
    await tryToConnect({ url: elsewhere.href }),
    await tryToConnect({ url: broker.url.replace(broker.vhost, closed) }),
    await tryToConnect({ password: 'wrong' }),
  ]

  await broker.manage({ method: 'DELETE', path: `/api/vhosts/${closed}` })
  expect(failures).toMatchObject([
    { code: 'topology-missing', message: expect.stringMatching(/discovery is not let into .*not-there/) },
    { code: 'topology-missing', message: expect.stringContaining(closed) },
    { name: 'PermanentError', code: 'broker-login-refused', message: expect.stringContaining('gatehouse topology apply') },
  ])
})

/** As discovery, until the broker has answered both connections. */
async function tryToConnect(options: { url?: string; password?: string }): Promise<unknown> {
  const stop = new AbortController()
  const answered = new Set<unknown>()
  const warn = (fields: { connection?: unknown; reason?: unknown }): void => {
    answered.add(fields.connection)
    if (answered.size === 2) stop.abort()
  }
  const log = { info() {}, debug() {}, error() {}, warn }
  return await connectAs(options, log, stop.signal).catch((error: unknown) => error)
}

async function connectAs(options: { url?: string; password?: string }, log: BrokerLog, signal: AbortSignal): Promise<void> {
  const user = `${broker.vhost}-discovery`
  const limits = { unconfirmedMax: 1, prefetchMax: 1, maxAttempts: 1, laterAgeMsMax: 1_000 }
  await using _broker = await connectBroker(
    { url: broker.url, user, password: user, connectionName: 'test', log, ...limits, ...options },
    signal,
  )
}
