import { randomUUID } from 'node:crypto'
import { createTopology } from '@gatehouse/broker'
import { done } from '@gatehouse/messages'
import { type ConsumeMessage, connect } from 'amqplib'
import { expect } from 'vitest'
import { type BrokerUnderTest, until } from '../../../libs/broker/test/broker-under-test.ts'
import { handleNotices, publishNotice } from '../../../libs/broker/test/handle-notices.ts'
import { onEachBroker } from './on-each-broker.ts'

const IN_FLIGHT = 50

let broker: BrokerUnderTest
const it = onEachBroker((started) => {
  broker = started
})

it.for([
  ['a missing exchange', 'gh.missing', /NOT_FOUND/, undefined],
  ['a missing permission', 'gh.dead', /ACCESS_REFUSED/, 'notification'],
] as const)('loses every confirm on the way to %s (naive)', async ([, exchange, reason, as]) => {
  const model = await broker.raw(as)
  const channel = await model.createConfirmChannel()
  const closed = new Promise<Error>((resolve) => channel.once('error', resolve))
  const answers: (string | undefined)[] = []
  const publish = (to: string, key: string): void => {
    channel.publish(to, key, Buffer.from('{}'), { persistent: true }, (error: Error | null) => answers.push(error?.message))
  }

  // The one that is refused is before the others: what it takes along is well formed and allowed.
  publish(exchange, 'enforcement')
  for (let one = 0; one < IN_FLIGHT; one++) publish('gh.commands', 'bulk.notification.send-notice.v1')

  expect((await closed).message).toMatch(reason)
  await until(() => answers.length === IN_FLIGHT + 1)
  expect(answers).toEqual(Array(IN_FLIGHT + 1).fill('channel closed'))
  await model.close()
})

it('fails only the publication to a missing exchange; the others on its channel arrive', async () => {
  await using control = await broker.connect()
  const content = Buffer.from('{}')
  const toNowhere = { exchange: 'gh.missing', routingKey: 'x', content, messageId: randomUUID(), type: 'x', headers: {} }
  await using notification = await broker.connect()
  await using consumer = await handleNotices(notification, () => done)

  const lost = control.publishRaw(toNowhere, broker.signal).catch((error) => error)
  const sent = await Promise.all(Array.from({ length: IN_FLIGHT }, () => publishNotice(control)))

  expect(await lost).toMatchObject({ code: 'publish-refused', message: expect.stringContaining('gh.missing') })
  const seen = () => new Set(consumer.seen.map(({ noticeId }) => noticeId))
  await until(() => seen().size === IN_FLIGHT)
  expect([...seen()].sort()).toEqual(sent.sort())
})

it('has all its other work done twice when one message is acknowledged twice (naive)', async () => {
  const model = await broker.raw()
  const publishing = await model.createConfirmChannel()
  await publishing.assertQueue('naive.twice', { arguments: { 'x-queue-type': 'quorum' } })
  for (let one = 0; one < 10; one++) publishing.sendToQueue('naive.twice', Buffer.from(String(one)))
  await publishing.waitForConfirms()
  const consuming = await model.createChannel()
  const closed = new Promise<Error>((resolve) => consuming.once('error', resolve))
  const inHand: ConsumeMessage[] = []
  await consuming.consume('naive.twice', (raw) => {
    if (raw !== null) inHand.push(raw)
  })
  await until(() => inHand.length === 10)
  const [first] = inHand as [ConsumeMessage]

  consuming.ack(first)
  consuming.ack(first)

  expect((await closed).message).toMatch(/PRECONDITION_FAILED - unknown delivery tag/)
  await until(async () => (await publishing.checkQueue('naive.twice')).messageCount === 9)
  await model.close()
})

it('settles a message once although its handler answers after it was given up, and leaves the other work alone', async () => {
  await using control = await broker.connect({ as: 'control' })
  const outcomes: string[] = []
  await using notification = await broker.connect({
    as: 'notification',
    metrics: { handled: (_type, outcome) => outcomes.push(outcome) },
  })
  const late = Promise.withResolvers<void>()
  const beside = Promise.withResolvers<void>()
  let givenUp: string | undefined
  await using consumer = await handleNotices(
    notification,
    async (noticeId, { attempt }) => {
      givenUp ??= noticeId
      if (noticeId === givenUp && attempt === 1) await late.promise
      if (noticeId !== givenUp) await beside.promise
      return done
    },
    { handlerTimeoutMs: 2_000 },
  )
  await publishNotice(control)
  // Comes again once it was given up, which takes the timeout and five seconds of grace.
  await until(() => outcomes.includes('done'))
  await publishNotice(control)
  await until(() => consumer.seen.length === 3)

  late.resolve()
  await until(() => consumer.stats().running === 1)
  beside.resolve()

  await until(() => outcomes.length === 3)
  expect(outcomes).toEqual(['retry', 'done', 'done'])
  expect(consumer.seen.map(({ context }) => [context.attempt, context.redelivered])).toEqual([
    [1, false],
    [2, false],
    [1, false],
  ])
})

it('stops for good when its queue is deleted, without an error (naive)', async () => {
  const model = await broker.raw()
  const channel = await model.createConfirmChannel()
  const declare = () => channel.assertQueue('naive.deleted', { arguments: { 'x-queue-type': 'quorum' } })
  await declare()
  const came: (ConsumeMessage | null)[] = []
  await channel.consume('naive.deleted', (raw) => came.push(raw), { noAck: true })

  await channel.deleteQueue('naive.deleted')
  await until(() => came.length === 1)
  await declare()
  channel.sendToQueue('naive.deleted', Buffer.from('x'))
  await channel.waitForConfirms()

  expect(came).toEqual([null])
  expect((await channel.checkQueue('naive.deleted')).consumerCount).toBe(0)
  await model.close()
})

it('subscribes again when its queue was deleted and is there again', async () => {
  await using notification = await broker.connect()
  await using consumer = await handleNotices(notification, () => done)
  const admin = await broker.raw()
  const channel = await admin.createChannel()

  await channel.deleteQueue('gh.notification')
  await until(() => consumer.stats().subscribed === 3)
  const definitions = { ...createTopology({ vhost: broker.vhost }), permissions: [], topic_permissions: [] }
  await broker.manage({ method: 'POST', path: '/api/definitions', body: definitions })
  await until(() => consumer.stats().subscribed === 4)
  const noticeId = await publishNotice(notification)

  await until(() => consumer.seen.length === 1)
  expect(consumer.seen[0]?.noticeId).toBe(noticeId)
  await admin.close()
})

it('loses a plain connection to a blocked event loop (naive), and subscribes again by itself', async () => {
  const naive = await connect(`${broker.url}?heartbeat=1`)
  const closed = new Promise<void>((resolve) => naive.once('close', () => resolve()))
  naive.on('error', () => {})
  const channel = await naive.createChannel()
  await channel.assertQueue('naive.heartbeat', { arguments: { 'x-queue-type': 'quorum' } })
  await channel.consume('naive.heartbeat', () => {}, { noAck: true })
  const states: string[] = []
  await using notification = await broker.connect({
    heartbeatSeconds: 1,
    metrics: { stateChanged: (state) => states.push(state) },
  })
  await using consumer = await handleNotices(notification, () => done)
  states.length = 0

  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 6_000)

  await until(() => states.includes('connecting') && states.at(-1) === 'ready' && consumer.stats().subscribed === 4)
  const noticeId = await publishNotice(notification)
  await until(() => consumer.seen.length === 1)
  expect(consumer.seen[0]?.noticeId).toBe(noticeId)
  await closed
  expect(() => channel.sendToQueue('naive.heartbeat', Buffer.from('x'))).toThrow(/closed/i)
})
