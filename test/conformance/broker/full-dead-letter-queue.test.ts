import { deadQueueOf, inboxOf } from '@gatehouse/broker'
import type { ChannelModel, ConfirmChannel } from 'amqplib'
import { afterAll, beforeAll, expect, it } from 'vitest'
import {
  type BrokerUnderTest,
  START_TIMEOUT_MS,
  startBrokerUnderTest,
  until,
} from '../../../libs/broker/test/broker-under-test.ts'

const DEAD_MAX = 4
const INBOX_MAX = 10
const MESSAGES = 60

let broker: BrokerUnderTest
beforeAll(async () => {
  broker = await startBrokerUnderTest({ own: true })
}, START_TIMEOUT_MS)
afterAll(async () => {
  await broker?.[Symbol.asyncDispose]()
}, START_TIMEOUT_MS)

/** Publishes one after the other into a queue whose every message is rejected for good; gives back how many were confirmed. */
async function publishAndReject(model: ChannelModel, exchange: string, key: string, queue: string): Promise<number> {
  const rejecting = await model.createChannel()
  let rejected = 0
  await rejecting.consume(queue, (raw) => {
    if (raw === null) return
    rejecting.reject(raw, false)
    rejected += 1
  })
  const publishing = await model.createConfirmChannel()
  let confirmed = 0
  while (confirmed < MESSAGES && (await isConfirmed(publishing, exchange, key))) {
    confirmed += 1
    await until(() => rejected === confirmed)
  }
  // Answered after the rejections before it were taken.
  await rejecting.checkQueue(queue)
  return confirmed
}

function isConfirmed(channel: ConfirmChannel, exchange: string, key: string): Promise<boolean> {
  return new Promise((resolve) => {
    channel.publish(exchange, key, Buffer.from('{}'), { persistent: true }, (error: Error | null) => resolve(error === null))
  })
}

it(
  'drops what a full dead-letter queue does not take, and goes on as if nothing were amiss (T11, naive)',
  async () => {
    const model = await broker.raw()
    const channel = await model.createChannel()
    const limits = { 'x-max-length': DEAD_MAX, 'x-overflow': 'reject-publish' }
    await channel.assertQueue('naive.dead', { arguments: { 'x-queue-type': 'classic', ...limits } })
    const toDead = { 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': 'naive.dead' }
    await channel.assertQueue('naive.work', { arguments: { 'x-queue-type': 'quorum', 'x-max-length': INBOX_MAX, ...toDead } })

    const confirmed = await publishAndReject(model, '', 'naive.work', 'naive.work')

    expect(confirmed).toBe(MESSAGES)
    await model.close()
    await broker.node?.restart()
    expect((await broker.depth('naive.dead')) + (await broker.depth('naive.work'))).toBe(DEAD_MAX)
  },
  START_TIMEOUT_MS,
)

it(
  'keeps what a full dead-letter queue does not take in its inbox, which then pushes back, and buries it when there is room (T11)',
  async () => {
    const [inbox, dead] = [inboxOf('notification', 'bulk'), deadQueueOf('notification')]
    const shrink = async (policy: string, lengthMax: number): Promise<void> => {
      const path = `/api/policies/${broker.vhost}/${policy}`
      const { definition, ...was } = (await broker.manage({ method: 'GET', path })) as { definition: object }
      await broker.manage({ method: 'PUT', path, body: { ...was, definition: { ...definition, 'max-length': lengthMax } } })
    }
    await shrink('gh-notification-work', INBOX_MAX)
    await shrink('gh-notification-dead', DEAD_MAX)
    const model = await broker.raw()

    const confirmed = await publishAndReject(model, 'gh.commands', 'bulk.notification.send-notice.v1', inbox)

    expect(confirmed).toBeLessThan(MESSAGES)
    expect(await broker.depth(dead)).toBeLessThan(confirmed)
    await model.close()
    await shrink('gh-notification-dead', MESSAGES)
    // Otherwise the broker tries again what was refused after three minutes.
    await broker.node?.restart()
    await until(async () => (await broker.depth(dead)) === confirmed)
  },
  START_TIMEOUT_MS,
)
