import { randomUUID } from 'node:crypto'
import { inboxOf, ladderRoute, UNROUTED } from '@gatehouse/broker'
import { done, later } from '@gatehouse/messages'
import { expect } from 'vitest'
import { type BrokerUnderTest, until } from '../../../libs/broker/test/broker-under-test.ts'
import { handleNotices, publishNotice } from '../../../libs/broker/test/handle-notices.ts'
import { startNaiveClient } from './naive-client.ts'
import { onEachBroker } from './on-each-broker.ts'

/** The broker hands 32 messages of a queue on at once, and waits with the rest until those are taken. */
const STUCK = 60

let broker: BrokerUnderTest
const it = onEachBroker((started) => {
  broker = started
})

/** Comes back by Gatehouse's ladder, which takes longer than any naive retry that moves at all. */
async function retryOnce(): Promise<void> {
  await using notification = await broker.connect({ as: 'notification' })
  await using consumer = await handleNotices(notification, () => (consumer.seen.length < 2 ? later(2_000, 'not-yet') : done))
  await publishNotice(notification)
  await until(() => consumer.seen.length === 2, 10_000)
}

async function startNaiveRetries() {
  const naive = await startNaiveClient(broker)
  const { channel } = naive
  await channel.assertExchange('naive.retry', 'topic', { durable: true })
  await channel.assertExchange('naive.out', 'topic', { durable: true })
  await naive.declareQueue('naive.retry', {
    'x-message-ttl': 100,
    'x-dead-letter-exchange': 'naive.out',
    'x-dead-letter-strategy': 'at-least-once',
    'x-overflow': 'reject-publish',
  })
  await naive.declareQueue('naive.full', { 'x-max-length': 1, 'x-overflow': 'reject-publish' })
  await naive.declareQueue('naive.healthy')
  await channel.bindQueue('naive.retry', 'naive.retry', '#')
  await channel.bindQueue('naive.full', 'naive.out', 'full')
  await channel.bindQueue('naive.healthy', 'naive.out', 'healthy')
  return naive
}

async function clearNaive(naive: Awaited<ReturnType<typeof startNaiveRetries>>): Promise<void> {
  for (const queue of ['naive.retry', 'naive.full', 'naive.healthy']) await naive.channel.deleteQueue(queue)
  for (const exchange of ['naive.retry', 'naive.out']) await naive.channel.deleteExchange(exchange)
}

it.for([
  ['whose queue is full', 'full'],
  ['that has no queue', 'gone'],
] as const)(
  'holds up the retries of all behind those of a service %s, where they share a queue (T5, naive)',
  async ([, stuck]) => {
    await using naive = await startNaiveRetries()
    // The shared queue works as long as all of its destinations do.
    await naive.publish('naive.retry', 'healthy', 'before')
    naive.channel.ack(await naive.take('naive.healthy'))
    if (stuck === 'full') for (const body of ['first', 'second']) await naive.publish('', 'naive.full', body)

    for (let one = 0; one < STUCK; one++) await naive.publish('naive.retry', stuck, 'stuck')
    await naive.publish('naive.retry', 'healthy', 'behind')
    await retryOnce()

    expect(await broker.depth('naive.healthy')).toBe(0)
    await clearNaive(naive)
  },
)

it("brings one service's retries back while another's inbox is full and keeps as many waiting (T5)", async () => {
  const inbox = inboxOf('discovery', 'bulk')
  await broker.manage({
    method: 'PUT',
    path: `/api/policies/${broker.vhost}/full`,
    body: {
      pattern: '^gh\\.discovery$',
      'apply-to': 'queues',
      priority: 20,
      definition: { 'max-length': 1, overflow: 'reject-publish', 'delivery-limit': 20 },
    },
  })
  await using control = await broker.connect({ as: 'control' })
  const filling = new AbortController()
  const fields = { organizationId: randomUUID(), syncType: 'deltaSync', syncRunId: randomUUID() } as const
  const fill = () => control.publish('discovery.sync', fields, { lane: 'bulk', signal: filling.signal })
  const refused = Promise.allSettled([fill(), fill(), fill(), fill(), fill()])
  await until(async () => (await broker.depth(inbox)) >= 1)

  await using discovery = await broker.connect({ as: 'discovery' })
  await sendToLadder(discovery, 'discovery')
  await retryOnce()

  expect(await broker.depth(inbox)).toBeGreaterThanOrEqual(1)
  await until(async () => (await broker.depth('gh.discovery.due')) === STUCK)
  filling.abort()
  await refused
})

it('puts aside, where it is seen, what comes out of the ladder for nobody, and holds up no other (T5)', async () => {
  await using administrator = await broker.connect()
  await sendToLadder(administrator, 'nobody')
  await retryOnce()

  await until(async () => (await broker.depth(UNROUTED)) === STUCK)
})

async function sendToLadder(sender: Awaited<ReturnType<BrokerUnderTest['connect']>>, service: string): Promise<void> {
  const { exchange, routingKey } = ladderRoute(250, { service: 'discovery', lane: 'bulk' })
  const publication = {
    exchange,
    routingKey: routingKey.replace(/discovery$/, service),
    content: Buffer.from('{}'),
    type: 'discovery.sync',
    headers: {},
  }
  const send = () => sender.publishRaw({ ...publication, messageId: randomUUID() }, broker.signal)
  await Promise.all(Array.from({ length: STUCK }, send))
}
