import { done } from '@gatehouse/messages'
import { expect } from 'vitest'
import { type BrokerUnderTest, START_TIMEOUT_MS, until } from '../../../libs/broker/test/broker-under-test.ts'
import { handleNotices, publishNotice } from '../../../libs/broker/test/handle-notices.ts'
import { setMemoryAlarm } from '../../../libs/broker/test/set-memory-alarm.ts'
import { onEachBroker } from './on-each-broker.ts'

const IN_FLIGHT = 50
const UNCONFIRMED = 100
const MESSAGES = 2_000

let broker: BrokerUnderTest
const it = onEachBroker(
  (started) => {
    broker = started
  },
  { own: true },
)

it(
  'loses what it acknowledged on arrival and what it sent without asking for confirms, when the broker is killed (naive)',
  async () => {
    if (broker.node === undefined) throw new Error('Needs its own node')
    const model = await broker.raw()
    const channel = await model.createConfirmChannel()
    for (const queue of ['naive.arrived', 'naive.sent'])
      await channel.assertQueue(queue, { durable: true, arguments: { 'x-queue-type': 'quorum' } })
    for (let one = 0; one < IN_FLIGHT; one++) channel.sendToQueue('naive.arrived', Buffer.from('x'), { persistent: true })
    await channel.waitForConfirms()
    const inHand: unknown[] = []
    await channel.consume('naive.arrived', (raw) => inHand.push(raw), { noAck: true })
    await until(() => inHand.length === IN_FLIGHT)
    const sending = await broker.raw()
    const careless = await sending.createChannel()
    // Holds what is sent in the broker's socket, where it would be for a moment anyway.
    await setMemoryAlarm(broker.node, true)
    for (let one = 0; one < UNCONFIRMED; one++)
      expect(careless.sendToQueue('naive.sent', Buffer.from('x'), { persistent: true })).toBe(true)

    await broker.node.restart({ kill: true })

    expect(await broker.depth('naive.arrived')).toBe(0)
    expect(await broker.depth('naive.sent')).toBe(0)
  },
  START_TIMEOUT_MS,
)

it(
  'loses nothing when the broker is killed with 50 messages in hand and 100 unconfirmed, and goes on by itself',
  async () => {
    await using control = await broker.connect({ as: 'control', unconfirmedMax: UNCONFIRMED })
    await using notification = await broker.connect({ as: 'notification' })
    const isBack = Promise.withResolvers<void>()
    await using consumer = await handleNotices(
      notification,
      async (_noticeId, { redelivered }) => {
        if (!redelivered) await isBack.promise
        return done
      },
      { concurrency: IN_FLIGHT },
    )
    let confirmed = 0
    const publishing = Promise.all(
      Array.from({ length: MESSAGES }, async () => {
        const noticeId = await publishNotice(control)
        confirmed += 1
        return noticeId
      }),
    )
    await until(() => consumer.stats().running === IN_FLIGHT && confirmed > UNCONFIRMED)
    const inHand = consumer.seen.map(({ noticeId }) => noticeId)

    await broker.node?.restart({ kill: true })

    expect(confirmed).toBeLessThanOrEqual(MESSAGES - UNCONFIRMED)
    isBack.resolve()
    const sent = await publishing
    const seen = () => new Set(consumer.seen.map(({ noticeId }) => noticeId))
    await until(() => seen().size === MESSAGES && consumer.stats().running === 0)
    expect([...seen()].sort()).toEqual(sent.sort())
    const timesSeen = (noticeId: string) => consumer.seen.filter((one) => one.noticeId === noticeId).length
    for (const noticeId of inHand) expect(timesSeen(noticeId)).toBeGreaterThan(1)
    expect(consumer.seen.every(({ context }) => context.attempt === 1)).toBe(true)
    await until(async () => (await broker.depth('gh.notification')) === 0)
    expect(await broker.depth('gh.notification.dead')).toBe(0)
  },
  START_TIMEOUT_MS,
)
