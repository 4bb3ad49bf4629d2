import { DEAD } from '@gatehouse/broker'
import { RetryableError } from '@gatehouse/messages'
import type { ConfirmChannel, ConsumeMessage } from 'amqplib'
import { expect } from 'vitest'
import type { BrokerUnderTest } from '../../../libs/broker/test/broker-under-test.ts'
import { handleNotices, publishNotice } from '../../../libs/broker/test/handle-notices.ts'
import { startNaiveClient } from './naive-client.ts'
import { onEachBroker } from './on-each-broker.ts'

const ATTEMPTS = 2

let broker: BrokerUnderTest
const it = onEachBroker((started) => {
  broker = started
})

/** The first message of a stream, once there is one. */
async function readStream(channel: ConfirmChannel, stream: string): Promise<ConsumeMessage> {
  const first = Promise.withResolvers<ConsumeMessage>()
  await channel.prefetch(10)
  const take = (raw: ConsumeMessage | null): void => {
    if (raw !== null) first.resolve(raw)
  }
  await channel.consume(stream, take, { arguments: { 'x-stream-offset': 'first' } })
  return await first.promise
}

/** Rejects a message of a queue that dead-letters to a stream, and reads what comes first in the stream. */
async function readFirstDeath(name: string, more: Record<string, string> = {}) {
  await using naive = await startNaiveClient(broker)
  const stream = `naive.stream.${name}`
  await naive.channel.assertQueue(stream, { durable: true, arguments: { 'x-queue-type': 'stream' } })
  await naive.declareQueue(`naive.work.${name}`, { 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': stream, ...more })
  await naive.publish('', `naive.work.${name}`, 'rejected')
  naive.channel.reject(await naive.take(`naive.work.${name}`), false)
  // Confirmed once the queue has seen the rejection.
  await naive.publish('', `naive.work.${name}`, 'rejected later')
  if (more['x-dead-letter-strategy'] === undefined) await naive.publish('', stream, 'sent directly')
  const first = await readStream(naive.channel, stream)
  return { body: first.content.toString(), headers: first.properties.headers ?? {}, isBefore4: naive.isBefore4 }
}

it('loses what goes to a stream at most once, on RabbitMQ before 4 (T12, naive)', async () => {
  const { body, isBefore4 } = await readFirstDeath('at-most-once')

  expect(body).toBe(isBefore4 ? 'sent directly' : 'rejected')
})

it('leaves no x-death on what RabbitMQ before 4 sends to a stream (T12, naive)', async () => {
  const { body, headers, isBefore4 } = await readFirstDeath('at-least-once', {
    'x-dead-letter-strategy': 'at-least-once',
    'x-overflow': 'reject-publish',
  })

  expect(body).toBe('rejected')
  expect(headers['x-first-death-reason']).toBe('rejected')
  expect(headers['x-death'] === undefined).toBe(isBefore4)
})

it('says in headers of our own, also in a stream, what a message died of (T12)', async () => {
  const model = await broker.raw()
  const channel = await model.createConfirmChannel()
  await channel.assertQueue('copy.of.dead', { durable: true, arguments: { 'x-queue-type': 'stream' } })
  await channel.bindQueue('copy.of.dead', DEAD, 'notification')
  await using control = await broker.connect({ as: 'control' })
  await using notification = await broker.connect({ as: 'notification', maxAttempts: ATTEMPTS })
  await using consumer = await handleNotices(notification, () => {
    throw new RetryableError('mail-busy', 'The mail server is busy', { retryAfterMs: 250 })
  })

  const noticeId = await publishNotice(control)

  const letter = await readStream(channel, 'copy.of.dead')
  expect(consumer.seen).toHaveLength(ATTEMPTS)
  expect(JSON.parse(letter.content.toString()).noticeId).toBe(noticeId)
  expect(letter.properties.headers).toMatchObject({
    'gh-reason': 'attempts-exhausted',
    'gh-error-code': 'mail-busy',
    'gh-attempt': ATTEMPTS,
    'gh-handler': 'notification.send-notice',
    'gh-origin-exchange': 'gh.commands',
    'gh-origin-key': 'bulk.notification.send-notice.v1',
  })
  await model.close()
})
