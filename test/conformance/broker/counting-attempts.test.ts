import { randomUUID } from 'node:crypto'
import { COMMANDS, readDeadLetters, stripBrokerHeaders } from '@gatehouse/broker'
import { createMessage, done, RetryableError } from '@gatehouse/messages'
import { expect } from 'vitest'
import { type BrokerUnderTest, until } from '../../../libs/broker/test/broker-under-test.ts'
import { handleNotices, publishNotice } from '../../../libs/broker/test/handle-notices.ts'
import { startNaiveClient } from './naive-client.ts'
import { onEachBroker } from './on-each-broker.ts'

const ROUNDS = 3

let broker: BrokerUnderTest
const it = onEachBroker((started) => {
  broker = started
})

/** Sends a message through one waiting queue again and again, and reads how often it failed from what the broker wrote. */
async function countByDeaths(headersOfCopy: (headers: Record<string, unknown>) => Record<string, unknown>) {
  await using naive = await startNaiveClient(broker)
  await naive.declareQueue('naive.work')
  await naive.declareQueue('naive.wait', {
    'x-message-ttl': 50,
    'x-dead-letter-exchange': '',
    'x-dead-letter-routing-key': 'naive.work',
  })
  await naive.publish('', 'naive.wait', 'fails always')
  const counts: number[] = []
  for (let round = 1; round <= ROUNDS; round++) {
    const message = await naive.take('naive.work')
    const headers = message.properties.headers ?? {}
    counts.push(headers['x-death']?.[0]?.count ?? 0)
    if (round < ROUNDS) await naive.publish('', 'naive.wait', 'fails always', headersOfCopy(headers))
    naive.channel.ack(message)
  }
  return { counts, isBefore4: naive.isBefore4 }
}

it('never gets beyond one where x-death counts the attempts and is not sent along (T8, naive)', async () => {
  const { counts } = await countByDeaths(stripBrokerHeaders)

  expect(counts).toEqual([1, 1, 1])
})

it('counts differently from broker to broker where x-death counts the attempts and is sent along (T8, naive)', async () => {
  const { counts, isBefore4 } = await countByDeaths((headers) => headers)

  expect(counts).toEqual(isBefore4 ? [1, 2, 3] : [1, 1, 1])
})

it('counts attempts itself, gives up after as many as it is allowed, and says how many there were (T8)', async () => {
  await using control = await broker.connect({ as: 'control' })
  await using notification = await broker.connect({ as: 'notification', maxAttempts: ROUNDS })
  await using consumer = await handleNotices(notification, () => {
    throw new RetryableError('mail-busy', 'The mail server is busy', { retryAfterMs: 250 })
  })

  const noticeId = await publishNotice(control)

  await until(async () => (await broker.depth('gh.notification.dead')) === 1)
  expect(consumer.seen.map((one) => [one.noticeId, one.context.attempt])).toEqual([1, 2, 3].map((n) => [noticeId, n]))
  const { messages } = await readDeadLetters(control, { service: 'notification', limit: 10 }, broker.signal)
  expect(messages).toMatchObject([{ reason: 'attempts-exhausted', attempts: ROUNDS }])
})

it('takes no notice of the deaths that a message says it died (T8)', async () => {
  await using naive = await startNaiveClient(broker)
  await using notification = await broker.connect({ as: 'notification', maxAttempts: ROUNDS })
  await using consumer = await handleNotices(notification, () => done)
  const notice = createMessage('notification.send-notice', { noticeId: randomUUID() })
  const death = { queue: 'gh.notification', reason: 'expired', count: 99, exchange: COMMANDS, 'routing-keys': ['any'] }

  await naive.publish(COMMANDS, `bulk.notification.send-notice.v${notice.version}`, JSON.stringify(notice), {
    'x-death': [death],
    'x-delivery-count': 99,
  })

  await until(() => consumer.seen.length === 1)
  expect(consumer.seen[0]).toMatchObject({ noticeId: notice.noticeId, context: { attempt: 1 } })
})
