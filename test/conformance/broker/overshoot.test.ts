import { done } from '@gatehouse/messages'
import { expect } from 'vitest'
import { type BrokerUnderTest, until } from '../../../libs/broker/test/broker-under-test.ts'
import { handleNotices, publishNotice } from '../../../libs/broker/test/handle-notices.ts'
import { startNaiveClient } from './naive-client.ts'
import { onEachBroker } from './on-each-broker.ts'

const LENGTH_MAX = 10
const WINDOW = 20
const BURST = 400
const BURSTS_MAX = 10

let broker: BrokerUnderTest
const it = onEachBroker((started) => {
  broker = started
})

it('lets a burst without a window far over the length limit of a queue (T4, naive)', async () => {
  await using naive = await startNaiveClient(broker)
  await naive.declareQueue('naive.short', { 'x-max-length': LENGTH_MAX, 'x-overflow': 'reject-publish' })

  // A broker whose machine is busy keeps up with a burst that comes slowly: then a larger one.
  let accepted = 0
  for (let burst = BURST; accepted <= LENGTH_MAX + WINDOW && burst <= BURSTS_MAX * BURST; burst += BURST) {
    await naive.channel.purgeQueue('naive.short')
    const answers = await Promise.all(Array.from({ length: burst }, () => naive.publish('', 'naive.short', 'one of a burst')))
    accepted = answers.filter((answer) => answer === 'ack').length
  }

  expect(accepted).toBeGreaterThan(LENGTH_MAX + WINDOW)
  expect(await broker.depth('naive.short')).toBe(accepted)
})

it('goes over the length limit of a full inbox by the window at most, and loses none of what had to wait (T4)', async () => {
  await broker.manage({
    method: 'PUT',
    path: `/api/policies/${broker.vhost}/short`,
    body: {
      pattern: '^gh\\.notification$',
      'apply-to': 'queues',
      priority: 20,
      definition: { 'max-length': LENGTH_MAX, overflow: 'reject-publish', 'delivery-limit': 20 },
    },
  })
  // Each refusal by the broker asks for one random number, for its pause.
  let refusals = 0
  const random = () => {
    refusals += 1
    return 1
  }
  await using control = await broker.connect({ as: 'control', unconfirmedMax: WINDOW, random })
  const published = Array.from({ length: BURST }, () => publishNotice(control))
  const sent = Promise.all(published)

  // By then each of those left over was refused more than once.
  await until(() => refusals > 2 * BURST)
  const depth = await broker.depth('gh.notification')
  await using notification = await broker.connect({ as: 'notification' })
  await using consumer = await handleNotices(notification, () => done)

  expect(depth).toBeGreaterThanOrEqual(LENGTH_MAX)
  expect(depth).toBeLessThanOrEqual(LENGTH_MAX + WINDOW)
  const noticeIds = await sent
  await until(() => consumer.seen.length >= BURST)
  expect(consumer.seen.map((one) => one.noticeId).sort()).toEqual(noticeIds.sort())
})
