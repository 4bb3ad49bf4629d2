import { readDeadLetters } from '@gatehouse/broker'
import { PermanentError } from '@gatehouse/messages'
import { expect } from 'vitest'
import { type BrokerUnderTest, until } from '../../../libs/broker/test/broker-under-test.ts'
import { handleNotices, publishNotice } from '../../../libs/broker/test/handle-notices.ts'
import { startNaiveClient } from './naive-client.ts'
import { onEachBroker } from './on-each-broker.ts'

const LENGTH_MAX = 4
const WINDOW = 5
const MESSAGES = 40

let broker: BrokerUnderTest
const it = onEachBroker(
  (started) => {
    broker = started
  },
  // The queues are made full, and policies are changed.
  { fresh: true },
)

it('drops the oldest dead letters where their queue is full and overflows as usual (T11, naive)', async () => {
  await using naive = await startNaiveClient(broker)
  await naive.declareQueue('naive.dead', { 'x-max-length': LENGTH_MAX })
  await naive.declareQueue('naive.work', { 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': 'naive.dead' })

  for (let one = 1; one <= MESSAGES; one++) {
    expect(await naive.publish('', 'naive.work', String(one))).toBe('ack')
    naive.channel.reject(await naive.take('naive.work'), false)
  }

  // What is rejected arrives in order: with the last of them all are there that ever will be.
  const kept: string[] = []
  await until(async () => {
    const letter = await naive.channel.get('naive.dead')
    if (letter === false) return false
    kept.push(letter.content.toString())
    return kept.at(-1) === String(MESSAGES)
  })
  expect(kept.length).toBeLessThan(MESSAGES)
  expect(await broker.depth('naive.work')).toBe(0)
})

it('goes over the limit of the dead-letter queue where letters go to it at most once, though it refuses (T11, naive)', async () => {
  await using naive = await startNaiveClient(broker)
  await naive.declareQueue('naive.dead', { 'x-max-length': LENGTH_MAX, 'x-overflow': 'reject-publish' })
  await naive.declareQueue('naive.work', { 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': 'naive.dead' })

  for (let one = 0; one < MESSAGES; one++) {
    await naive.publish('', 'naive.work', String(one))
    naive.channel.reject(await naive.take('naive.work'), false)
  }

  await until(async () => (await broker.depth('naive.dead')) === MESSAGES)
})

it('pushes back from a full dead-letter queue to whoever publishes, and buries all once there is room (T11)', async () => {
  const limit = (queue: string, definition: object) =>
    broker.manage({
      method: 'PUT',
      path: `/api/policies/${broker.vhost}/full-${queue}`,
      body: { pattern: `^${queue.replaceAll('.', '\\.')}$`, 'apply-to': 'queues', priority: 20, definition },
    })
  const short = { 'max-length': LENGTH_MAX, overflow: 'reject-publish', 'delivery-limit': 1_000_000 }
  await limit('gh.notification', short)
  await limit('gh.notification.dead', short)
  // Each refusal by the broker asks for one random number, for its pause.
  const refusals = { control: 0, notification: 0 }
  const counting = (who: keyof typeof refusals) => () => {
    refusals[who] += 1
    return 0.5
  }
  await using control = await broker.connect({ as: 'control', unconfirmedMax: WINDOW, random: counting('control') })
  await using notification = await broker.connect({ as: 'notification', random: counting('notification') })
  await using consumer = await handleNotices(
    notification,
    () => {
      throw new PermanentError('no-such-notice', 'The notice does not exist')
    },
    { concurrency: WINDOW },
  )

  let confirmed = 0
  const publishing = Promise.all(
    Array.from({ length: MESSAGES }, async () => {
      const noticeId = await publishNotice(control)
      confirmed += 1
      return noticeId
    }),
  )
  // The letters are refused, so their slots are held, so the inbox fills, so its publisher is refused.
  await until(() => refusals.notification > WINDOW && refusals.control > WINDOW && consumer.stats().running === WINDOW)

  expect(confirmed).toBeLessThan(MESSAGES)
  expect(await broker.depth('gh.notification.dead')).toBeLessThanOrEqual(LENGTH_MAX + WINDOW)
  expect(await broker.depth('gh.notification')).toBeGreaterThanOrEqual(LENGTH_MAX)
  await broker.manage({ method: 'DELETE', path: `/api/policies/${broker.vhost}/full-gh.notification.dead` })
  const sent = await publishing
  await until(async () => (await broker.depth('gh.notification.dead')) >= MESSAGES)
  const { messages } = await readDeadLetters(control, { service: 'notification', limit: 10 * MESSAGES }, broker.signal)
  expect(messages.map(({ content }) => JSON.parse(content.toString()).noticeId).sort()).toEqual(sent.sort())
})
