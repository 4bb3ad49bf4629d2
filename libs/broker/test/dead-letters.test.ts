import { done, PermanentError } from '@gatehouse/messages'
import { expect, it } from 'vitest'
import { readDeadLetters } from '../src/index.ts'
import { type BrokerUnderTest, until, useBroker } from './broker-under-test.ts'
import { handleNotices, publishNotice } from './handle-notices.ts'

let broker: BrokerUnderTest
useBroker((started) => {
  broker = started
})

it('may be looked at a hundred times without losing one (T2)', async () => {
  await using notification = await broker.connect()
  await using consumer = await handleNotices(notification, (noticeId) => {
    throw new PermanentError('no-such-notice', `No notice ${noticeId}`)
  })
  await Promise.all(Array.from({ length: 20 }, () => publishNotice(notification)))
  await until(async () => (await broker.depth('gh.notification.dead')) === 20)
  await consumer[Symbol.asyncDispose]()
  await using control = await broker.connect({ as: 'control' })
  const read = () => readDeadLetters(control, { service: 'notification', limit: 100 }, broker.signal)

  const first = await read()
  for (let look = 0; look < 100; look++) await read()

  // What was held goes back a moment after the channel is closed.
  await until(async () => (await broker.depth('gh.notification.dead')) === 20)
  const last = await read()
  expect(first.total).toBe(20)
  expect(last.messages.map(({ messageId }) => messageId)).toEqual(first.messages.map(({ messageId }) => messageId))
})

it('are read as far as asked, and those asked for', async () => {
  await using control = await broker.connect({ as: 'control' })
  await until(async () => (await broker.depth('gh.notification.dead')) === 20)

  const some = await readDeadLetters(control, { service: 'notification', limit: 3 }, broker.signal)
  await until(async () => (await broker.depth('gh.notification.dead')) === 20)
  const where = { service: 'notification', limit: 3, where: (letter: { reason: string }) => letter.reason === 'other' } as const
  const none = await readDeadLetters(control, where, broker.signal)

  expect(some).toMatchObject({ total: 20, scanned: 3 })
  expect(none).toEqual({ total: 20, scanned: 20, messages: [] })
  await expect(readDeadLetters(control, { service: 'notification', limit: 1e6 }, broker.signal)).rejects.toMatchObject({
    code: 'limit-invalid',
  })
})

it('are refused to a worker that is not control', async () => {
  await using discovery = await broker.connect({ as: 'discovery' })

  await expect(readDeadLetters(discovery, { service: 'notification', limit: 1 }, broker.signal)).rejects.toThrow(
    /ACCESS_REFUSED/,
  )
})

it('hold what makes a worker crash again and again, buried by the broker', async () => {
  await using control = await broker.connect({ as: 'control' })
  const model = await broker.raw()
  const noticeId = await publishNotice(control, { lane: 'urgent' })

  // A crash looks like this to the broker: the channel is gone, the message is not acknowledged.
  const crash = async (): Promise<boolean> => {
    const channel = await model.createChannel()
    const message = await channel.get('gh.notification.urgent')
    await channel.close()
    return message !== false
  }
  let crashes = 0
  await until(async () => {
    if (await crash()) crashes += 1
    return (await broker.depth('gh.notification.dead')) === 21
  })

  const where = (letter: { content: Buffer }) => letter.content.includes(noticeId)
  const { messages } = await readDeadLetters(control, { service: 'notification', limit: 1, where }, broker.signal)
  expect(crashes).toBe(21)
  expect(messages).toMatchObject([
    {
      reason: 'delivery-limit',
      diedIn: 'gh.notification.urgent',
      origin: { exchange: 'gh.commands', routingKey: 'urgent.notification.send-notice.v1' },
    },
  ])
  await model.close()
})

it('push back when there are too many, so that none is lost (T11)', async () => {
  const full = { pattern: '^gh\\.notification\\.dead$', 'apply-to': 'queues', priority: 20 }
  const definition = { 'max-length': 22, overflow: 'reject-publish', 'delivery-limit': 1_000_000 }
  const path = `/api/policies/${broker.vhost}/full`
  await broker.manage({ method: 'PUT', path, body: { ...full, definition } })
  await using notification = await broker.connect({ unconfirmedMax: 2 })
  await using consumer = await handleNotices(notification, () => {
    throw new PermanentError('no-such-notice', 'No notice')
  })
  await Promise.all(Array.from({ length: 10 }, () => publishNotice(notification)))
  await until(() => consumer.seen.length >= 10)

  expect(await broker.depth('gh.notification.dead')).toBeLessThan(31)
  await broker.manage({ method: 'DELETE', path })

  await until(async () => (await broker.depth('gh.notification.dead')) === 31)
  expect(consumer.seen).toHaveLength(10)
})

it('can be sent again to the one service that failed, and are then done', async () => {
  await using control = await broker.connect({ as: 'control' })
  const { messages } = await readDeadLetters(control, { service: 'notification', limit: 1 }, broker.signal)
  const [letter] = messages
  if (letter?.origin === undefined) throw new Error('No dead letter')
  await using notification = await broker.connect({ as: 'notification' })
  await using consumer = await handleNotices(notification, () => done)

  await control.publishRaw(
    {
      ...letter.origin,
      content: letter.content,
      messageId: letter.messageId,
      type: letter.type,
      headers: { 'gh-attempt': 1, 'gh-replay-id': 'r1' },
    },
    broker.signal,
  )

  await until(() => consumer.seen.length === 1)
  expect(consumer.seen[0]?.context).toMatchObject({ messageId: letter.messageId, attempt: 1 })
})
