import { done } from '@gatehouse/messages'
import { expect } from 'vitest'
import { type BrokerUnderTest, until } from '../../../libs/broker/test/broker-under-test.ts'
import { handleNotices, publishNotice } from '../../../libs/broker/test/handle-notices.ts'
import { startNaiveClient } from './naive-client.ts'
import { onEachBroker } from './on-each-broker.ts'

let broker: BrokerUnderTest
const it = onEachBroker((started) => {
  broker = started
})

it('puts what is given back at the end, where RabbitMQ before 4 has no delivery limit for the queue (T7, naive)', async () => {
  await using naive = await startNaiveClient(broker)
  await naive.declareQueue('naive.work')
  for (const body of ['first', 'second', 'third']) await naive.publish('', 'naive.work', body)

  naive.channel.nack(await naive.take('naive.work'), false, true)

  const order: string[] = []
  for (let one = 0; one < 3; one++) {
    const message = await naive.take('naive.work')
    naive.channel.ack(message)
    order.push(message.content.toString())
  }
  expect(order).toEqual(naive.isBefore4 ? ['second', 'third', 'first'] : ['first', 'second', 'third'])
})

it('puts what a stop interrupts back to its place, without an attempt spent (T7)', async () => {
  // One message is in hand at a time: were all of them given back, their order would prove nothing.
  await using notification = await broker.connect({ as: 'notification', prefetchMax: 1 })
  const noticeIds: string[] = []
  for (let one = 0; one < 3; one++) noticeIds.push(await publishNotice(notification))
  const interrupted = await handleNotices(
    notification,
    (_id, _context, signal) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason))
      }),
    { concurrency: 1, drainMs: 0 },
  )
  await until(() => interrupted.seen.length === 1)
  await interrupted[Symbol.asyncDispose]()
  await until(async () => (await broker.depth('gh.notification')) === 3)

  await using consumer = await handleNotices(notification, () => done, { concurrency: 1 })

  await until(() => consumer.seen.length === 3)
  expect(interrupted.seen.map((one) => one.noticeId)).toEqual([noticeIds[0]])
  expect(consumer.seen.map((one) => one.noticeId)).toEqual(noticeIds)
  expect(consumer.seen.map((one) => one.context.attempt)).toEqual([1, 1, 1])
  expect(consumer.seen.map((one) => one.context.redelivered)).toEqual([true, false, false])
})
