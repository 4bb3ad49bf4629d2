import { done } from '@gatehouse/messages'
import type { ConsumeMessage } from 'amqplib'
import { expect } from 'vitest'
import { type BrokerUnderTest, until } from '../../../libs/broker/test/broker-under-test.ts'
import { handleNotices, publishNotice } from '../../../libs/broker/test/handle-notices.ts'
import { onEachBroker } from './on-each-broker.ts'

const MESSAGES = 40

let broker: BrokerUnderTest
const it = onEachBroker((started) => {
  broker = started
})

it('gets no more work for a higher prefetch on a consumer that runs already (T15, naive)', async () => {
  const model = await broker.raw()
  const channel = await model.createConfirmChannel()
  await channel.assertQueue('naive.work', { arguments: { 'x-queue-type': 'quorum' } })
  for (let one = 0; one < MESSAGES; one++) channel.sendToQueue('naive.work', Buffer.from('x'))
  await channel.waitForConfirms()
  const inHand: ConsumeMessage[] = []
  await channel.prefetch(2)
  await channel.consume('naive.work', (raw) => {
    if (raw !== null) inHand.push(raw)
  })
  await until(() => inHand.length === 2)

  await channel.prefetch(20)

  // One is settled, and one comes for it: had the new limit counted, the others would have come before it.
  const [first] = inHand
  if (first !== undefined) channel.ack(first)
  await until(() => inHand.length > 2)
  expect((await channel.checkQueue('naive.work')).messageCount).toBe(MESSAGES - 3)
  expect(inHand).toHaveLength(3)
  await model.close()
})

it('limits the work in hand by itself, below what the broker has sent ahead (T15)', async () => {
  await using control = await broker.connect({ as: 'control' })
  await Promise.all(Array.from({ length: MESSAGES }, () => publishNotice(control)))
  await using notification = await broker.connect({ as: 'notification' })
  const letGo = Promise.withResolvers<void>()
  let running = 0
  let most = 0
  await using consumer = await handleNotices(
    notification,
    async () => {
      most = Math.max(most, ++running)
      await letGo.promise
      running -= 1
      return done
    },
    { concurrency: 2 },
  )

  await until(() => consumer.stats().running === 2 && consumer.stats().waiting > 0)
  letGo.resolve()

  await until(() => consumer.seen.length === MESSAGES)
  expect(most).toBe(2)
})

it('works at another limit as soon as it subscribes anew, while the work begun before is finished and settled once (T15)', async () => {
  await using control = await broker.connect({ as: 'control' })
  await Promise.all(Array.from({ length: MESSAGES }, () => publishNotice(control)))
  await using notification = await broker.connect({ as: 'notification' })
  const letGo = Promise.withResolvers<void>()
  const slow = await handleNotices(
    notification,
    async () => {
      await letGo.promise
      return done
    },
    { concurrency: 2 },
  )
  await until(() => slow.stats().running === 2)

  const stopping = slow[Symbol.asyncDispose]()
  let running = 0
  let most = 0
  const allAtOnce = Promise.withResolvers<void>()
  await using fast = await handleNotices(
    notification,
    async () => {
      most = Math.max(most, ++running)
      if (running === 10) allAtOnce.resolve()
      await allAtOnce.promise
      running -= 1
      return done
    },
    { concurrency: 10 },
  )
  await allAtOnce.promise
  letGo.resolve()
  await stopping

  await until(() => fast.seen.length === MESSAGES - 2)
  const seen = [...slow.seen, ...fast.seen].map(({ noticeId }) => noticeId)
  expect(most).toBe(10)
  expect(new Set(seen).size).toBe(MESSAGES)
})
