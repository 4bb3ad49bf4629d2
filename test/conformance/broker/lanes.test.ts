import { done } from '@gatehouse/messages'
import { expect } from 'vitest'
import { type BrokerUnderTest, readVersion, until } from '../../../libs/broker/test/broker-under-test.ts'
import { handleNotices, publishNotice } from '../../../libs/broker/test/handle-notices.ts'
import { onEachBroker } from './on-each-broker.ts'

const BULK = 20
/** As many as the consumer has on hand of one queue, so that none is still on its way when it chooses. */
const URGENT = 5

let broker: BrokerUnderTest
const it = onEachBroker((started) => {
  broker = started
})

/** From 4.3 on quorum queues know 32 strict priorities; before, none or two that take turns. */
async function knowsPriorities(): Promise<boolean> {
  const { major, minor } = await readVersion(broker)
  return major > 4 || (major === 4 && minor >= 3)
}

it('does not bring a message to the front of a quorum queue for its priority (T13, naive)', async () => {
  const model = await broker.raw()
  const channel = await model.createConfirmChannel()
  await channel.assertQueue('naive.work', { arguments: { 'x-queue-type': 'quorum' } })
  for (let one = 0; one < BULK; one++) channel.sendToQueue('naive.work', Buffer.from('bulk'), { priority: 0 })
  for (let one = 0; one < URGENT; one++) channel.sendToQueue('naive.work', Buffer.from('urgent'), { priority: 9 })
  await channel.waitForConfirms()

  const order: string[] = []
  for (let raw = await channel.get('naive.work'); raw !== false; raw = await channel.get('naive.work')) {
    order.push(String(raw.content))
    channel.ack(raw)
  }

  expect(order).toHaveLength(BULK + URGENT)
  const isInFront = order.slice(0, URGENT).every((lane) => lane === 'urgent')
  expect(isInFront).toBe(await knowsPriorities())
  await model.close()
})

it('cannot declare a quorum queue with priorities (T13, naive)', async () => {
  const model = await broker.raw()
  const channel = await model.createChannel()
  channel.on('error', () => {})

  const declaring = channel.assertQueue('naive.priorities', { arguments: { 'x-queue-type': 'quorum', 'x-max-priority': 9 } })

  await expect(declaring).rejects.toThrow(/PRECONDITION_FAILED/)
  await model.close()
})

it('lets urgent messages pass by the bulk that was there before them (T13)', async () => {
  await using control = await broker.connect({ as: 'control' })
  for (let one = 0; one < BULK; one++) await publishNotice(control, { lane: 'bulk' })
  for (let one = 0; one < URGENT; one++) await publishNotice(control, { lane: 'urgent' })
  await using notification = await broker.connect({ as: 'notification' })
  const bothLanesAreHere = Promise.withResolvers<void>()
  await using consumer = await handleNotices(
    notification,
    async () => {
      await bothLanesAreHere.promise
      return done
    },
    { concurrency: 1 },
  )
  // One is in hand; five of each lane are as many as it takes ahead.
  await until(() => consumer.stats().waiting === 2 * URGENT - 1)

  bothLanesAreHere.resolve()

  await until(() => consumer.seen.length === BULK + URGENT)
  const lanes = consumer.seen.map(({ context }) => context.lane)
  // The one that was begun before the others came may be of either lane.
  expect(lanes.slice(0, URGENT + 1).filter((lane) => lane === 'urgent')).toHaveLength(URGENT)
})
