import { done, later } from '@gatehouse/messages'
import { expect } from 'vitest'
import { type BrokerUnderTest, until } from '../../../libs/broker/test/broker-under-test.ts'
import { handleNotices, publishNotice } from '../../../libs/broker/test/handle-notices.ts'
import { onEachBroker } from './on-each-broker.ts'

const LONG_MS = 3_000
const SHORT_MS = 250

let broker: BrokerUnderTest
const it = onEachBroker((started) => {
  broker = started
})

it.for(['classic', 'quorum'])(
  'makes a short delay wait for the long one before it in one %s queue for all delays (T9, naive)',
  async (type) => {
    const model = await broker.raw()
    const channel = await model.createConfirmChannel()
    const [waiting, due] = [`naive.${type}.waiting`, `naive.${type}.due`]
    await channel.assertQueue(due, { arguments: { 'x-queue-type': type } })
    await channel.assertQueue(waiting, {
      arguments: { 'x-queue-type': type, 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': due },
    })
    const came: { what: string; at: number }[] = []
    await channel.consume(due, (raw) => came.push({ what: String(raw?.content), at: performance.now() }), { noAck: true })

    channel.sendToQueue(waiting, Buffer.from('long'), { expiration: LONG_MS })
    channel.sendToQueue(waiting, Buffer.from('short'), { expiration: SHORT_MS })
    await channel.waitForConfirms()
    const sentAt = performance.now()

    await until(() => came.length === 2)
    expect(came.map(({ what }) => what)).toEqual(['long', 'short'])
    // The clock starts at the confirm, a moment after the broker's own.
    expect((came[1]?.at ?? 0) - sentAt).toBeGreaterThan(LONG_MS - 500)
    await model.close()
  },
)

it('brings a short delay back before a long one that began earlier (T9)', async () => {
  await using notification = await broker.connect({ as: 'notification' })
  const delayOf = new Map<string, number>()
  const ended: string[] = []
  await using consumer = await handleNotices(notification, (noticeId) => {
    const isFirst = consumer.seen.filter((one) => one.noticeId === noticeId).length === 1
    if (isFirst) {
      delayOf.set(noticeId, delayOf.size === 0 ? LONG_MS : SHORT_MS)
      return later(delayOf.get(noticeId) ?? 0, 'not-yet')
    }
    ended.push(noticeId)
    return done
  })

  const long = await publishNotice(notification)
  await until(() => delayOf.has(long))
  const short = await publishNotice(notification)

  await until(() => ended.length === 2)
  expect(ended).toEqual([short, long])
  const timesOf = (noticeId: string) => consumer.seen.filter((one) => one.noticeId === noticeId).map(({ at }) => at)
  const [askedAt = 0, cameAt = 0] = timesOf(short)
  expect(cameAt - askedAt).toBeLessThan(LONG_MS - 500)
})
