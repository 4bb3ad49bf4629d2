import { done, RetryableError } from '@gatehouse/messages'
import type { GetMessage } from 'amqplib'
import { expect } from 'vitest'
import { type BrokerUnderTest, until } from '../../../libs/broker/test/broker-under-test.ts'
import { handleNotices, publishNotice } from '../../../libs/broker/test/handle-notices.ts'
import { startNaiveClient } from './naive-client.ts'
import { onEachBroker } from './on-each-broker.ts'

let broker: BrokerUnderTest
const it = onEachBroker((started) => {
  broker = started
})

it('loses what is sent through two waiting queues again with its x-death, on RabbitMQ before 4 (T1, naive)', async () => {
  await using naive = await startNaiveClient(broker)
  const waiting = (next: string) => ({ 'x-message-ttl': 50, 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': next })
  await naive.declareQueue('naive.work')
  await naive.declareQueue('naive.wait-1', waiting('naive.work'))
  await naive.declareQueue('naive.wait-2', waiting('naive.wait-1'))
  await naive.publish('', 'naive.wait-2', 'kept')
  const firstRound = await naive.take('naive.work')

  await naive.publish('', 'naive.wait-2', 'kept', firstRound.properties.headers)
  naive.channel.ack(firstRound)
  // The queues keep order: what is sent later by the same way arrives later.
  await naive.publish('', 'naive.wait-2', 'stripped')

  const arrived: string[] = []
  const takeNext = async () => {
    const message: GetMessage = await naive.take('naive.work')
    naive.channel.ack(message)
    arrived.push(message.content.toString())
  }
  await takeNext()
  if (!naive.isBefore4) await takeNext()
  expect(arrived).toEqual(naive.isBefore4 ? ['stripped'] : ['kept', 'stripped'])
  for (const queue of ['naive.work', 'naive.wait-1', 'naive.wait-2']) expect(await broker.depth(queue)).toBe(0)
})

it('brings a message back through the same two levels of the ladder as often as it fails (T1)', async () => {
  await using notification = await broker.connect({ as: 'notification', maxAttempts: 5 })
  await using consumer = await handleNotices(notification, (_id, { attempt }) => {
    if (attempt === 5) return done
    throw new RetryableError('mail-busy', 'The mail server is busy', { retryAfterMs: 750 })
  })

  const noticeId = await publishNotice(notification)

  await until(() => consumer.seen.length === 5)
  expect(consumer.seen.map((one) => [one.noticeId, one.context.attempt])).toEqual([1, 2, 3, 4, 5].map((n) => [noticeId, n]))
  await until(() => consumer.stats().running === 0)
  for (const queue of ['gh.retry.l00', 'gh.retry.l01', 'gh.notification.due', 'gh.notification.dead'])
    expect(await broker.depth(queue)).toBe(0)
})
