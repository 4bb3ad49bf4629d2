import { DEAD } from '@gatehouse/broker'
import { PermanentError } from '@gatehouse/messages'
import { expect } from 'vitest'
import { type BrokerUnderTest, until } from '../../../libs/broker/test/broker-under-test.ts'
import { handleNotices, publishNotice } from '../../../libs/broker/test/handle-notices.ts'
import { startNaiveClient } from './naive-client.ts'
import { onEachBroker } from './on-each-broker.ts'

let broker: BrokerUnderTest
const it = onEachBroker(
  (started) => {
    broker = started
  },
  { fresh: true },
)

const toMissing = { 'x-dead-letter-exchange': 'naive.missing' }

it.for([
  ['at most once', toMissing],
  ['at least once, but may drop what is too much', { ...toMissing, 'x-dead-letter-strategy': 'at-least-once' }],
] as const)('loses what is to go to a missing exchange %s (T6, naive)', async ([, more]) => {
  await using naive = await startNaiveClient(broker)
  await naive.declareQueue('naive.work', more)
  await naive.publish('', 'naive.work', 'rejected')

  naive.channel.reject(await naive.take('naive.work'), false)
  // Once this one is confirmed the queue has seen the rejection.
  await naive.publish('', 'naive.work', 'rejected later')

  // The exchange comes too late for the first: there is nothing left to go to it.
  await naive.channel.assertExchange('naive.missing', 'fanout', { durable: true })
  await naive.declareQueue('naive.dead')
  await naive.channel.bindQueue('naive.dead', 'naive.missing', '')
  naive.channel.reject(await naive.take('naive.work'), false)
  expect((await naive.take('naive.dead')).content.toString()).toBe('rejected later')
  expect(await broker.depth('naive.dead')).toBe(0)
  expect(await broker.depth('naive.work')).toBe(0)
})

const deadExchange = () => ({ path: `/api/exchanges/${broker.vhost}/${DEAD}` })

/** As the topology has it. */
async function bringBackDeadExchange(): Promise<void> {
  const body = { type: 'topic', durable: true, auto_delete: false, internal: false, arguments: {} }
  await broker.manage({ method: 'PUT', ...deadExchange(), body })
  const path = `/api/bindings/${broker.vhost}/e/${DEAD}/q/gh.notification.dead`
  await broker.manage({ method: 'POST', path, body: { routing_key: 'notification', arguments: {} } })
}

it('keeps a message it cannot bury until the exchange is there, and then buries it once (T6)', async () => {
  await using control = await broker.connect({ as: 'control' })
  await using notification = await broker.connect({ as: 'notification' })
  await broker.manage({ method: 'DELETE', ...deadExchange() })
  const handle = () => {
    throw new PermanentError('no-such-notice', 'The notice does not exist')
  }
  const unable = await handleNotices(notification, handle, { drainMs: 0 })

  await publishNotice(control)
  await until(() => unable.seen.length === 2)
  // Stopped first, for an exchange is there a moment before its binding: until then its letters go to the unrouted.
  await unable[Symbol.asyncDispose]()
  await until(async () => (await broker.depth('gh.notification')) === 1)
  await bringBackDeadExchange()
  await using able = await handleNotices(notification, handle)

  await until(async () => (await broker.depth('gh.notification.dead')) === 1)
  await until(() => able.stats().running === 0)
  expect(able.seen).toHaveLength(1)
  expect(await broker.depth('gh.notification')).toBe(0)
})

it('lets the broker keep what makes workers crash until the exchange is there (T6)', async () => {
  await using control = await broker.connect({ as: 'control' })
  await using naive = await startNaiveClient(broker)
  await broker.manage({ method: 'DELETE', ...deadExchange() })
  // Without the alternate exchange nothing can go astray in the moment between the exchange and its binding.
  await broker.manage({ method: 'DELETE', path: `/api/policies/${broker.vhost}/gh-ae` })
  await publishNotice(control)

  let crashes = 0
  await until(async () => {
    const message = await naive.channel.get('gh.notification')
    if (message === false) return crashes > 20
    crashes += 1
    naive.channel.reject(message, true)
    return false
  })
  await bringBackDeadExchange()
  await lookForExchangeAgain()

  await until(async () => (await broker.depth('gh.notification.dead')) === 1)
  expect(await broker.depth('gh.notification')).toBe(0)
})

/** By itself the broker looks after three minutes; a change of the queue's policy makes it look at once. */
async function lookForExchangeAgain(): Promise<void> {
  const definition = {
    'dead-letter-exchange': DEAD,
    'dead-letter-routing-key': 'notification',
    'dead-letter-strategy': 'at-least-once',
    overflow: 'reject-publish',
    'delivery-limit': 21,
  }
  const body = { pattern: '^gh\\.notification$', 'apply-to': 'queues', priority: 20, definition }
  await broker.manage({ method: 'PUT', path: `/api/policies/${broker.vhost}/look-again`, body })
}
