import { createTopology, DEAD, readDeadLetters } from '@gatehouse/broker'
import { expect } from 'vitest'
import { type BrokerUnderTest, readVersion, until } from '../../../libs/broker/test/broker-under-test.ts'
import { publishNotice } from '../../../libs/broker/test/handle-notices.ts'
import { startNaiveClient } from './naive-client.ts'
import { onEachBroker } from './on-each-broker.ts'

const LOOKS = 30
const LIMIT = 3

let broker: BrokerUnderTest
const it = onEachBroker((started) => {
  broker = started
})

/** Takes a message and gives it back, until it is gone or was seen often enough; resolves with how often it came. */
async function countReturns(queue: string, how: 'nack' | 'reject'): Promise<number> {
  await using naive = await startNaiveClient(broker)
  let came = 0
  await until(async () => {
    const message = await naive.channel.get(queue)
    if (message === false) return (await broker.depth(queue)) === 0
    came += 1
    if (how === 'nack') naive.channel.nack(message, false, true)
    else naive.channel.reject(message, true)
    return came === LOOKS
  })
  return came
}

it('deletes a message when it first comes back where a limit of -1 is to mean none, on RabbitMQ before 4 (T3, naive)', async () => {
  await using naive = await startNaiveClient(broker)
  await naive.declareQueue('naive.unlimited', { 'x-delivery-limit': -1 })
  await naive.publish('', 'naive.unlimited', 'once')

  const came = await countReturns('naive.unlimited', 'reject')

  expect(came).toBe(naive.isBefore4 ? 1 : LOOKS)
})

it('sets no delivery limit but a positive one, and gives one to every queue that is read (T3)', async () => {
  const { policies, queues } = createTopology()
  const limits = policies.flatMap(({ definition }) => definition['delivery-limit'] ?? [])

  expect(limits.every((limit) => Number(limit) > 0)).toBe(true)
  const limited = policies.filter(({ definition }) => definition['delivery-limit'] !== undefined)
  const read = queues.filter(({ name }) => !/^gh\.retry\./.test(name))
  for (const { name, arguments: own } of read) {
    expect(own['x-delivery-limit']).toBeUndefined()
    expect(limited.filter(({ pattern }) => new RegExp(pattern).test(name))).toHaveLength(1)
  }

  await using naive = await startNaiveClient(broker)
  await naive.publish(DEAD, 'notification', 'a dead letter')
  expect(await countReturns('gh.notification.dead', 'reject')).toBe(LOOKS)
  await naive.channel.purgeQueue('gh.notification.dead')
})

it('takes what a stopping worker gives back for a failure, on RabbitMQ before 4.3 (naive)', async () => {
  const { major, minor } = await readVersion(broker)
  await using naive = await startNaiveClient(broker)
  await naive.declareQueue('naive.limited', { 'x-delivery-limit': LIMIT })
  const countFor = async (how: 'nack' | 'reject'): Promise<number> => {
    await naive.publish('', 'naive.limited', how)
    return await countReturns('naive.limited', how)
  }

  expect(await countFor('reject')).toBe(LIMIT + 1)
  expect(await countFor('nack')).toBe(major > 4 || (major === 4 && minor >= 3) ? LOOKS : LIMIT + 1)
})

it('lets the broker bury what makes workers crash, after as many crashes on every version', async () => {
  await using control = await broker.connect({ as: 'control' })
  const noticeId = await publishNotice(control)
  // To the broker a crash looks like this: the connection is gone, and the message was not acknowledged.
  const crash = async (): Promise<boolean> => {
    const model = await broker.raw('notification')
    const channel = await model.createChannel()
    const message = await channel.get('gh.notification')
    await model.close()
    return message !== false
  }

  let crashes = 0
  await until(async () => {
    if (await crash()) crashes += 1
    return (await broker.depth('gh.notification.dead')) === 1
  })

  const { messages } = await readDeadLetters(control, { service: 'notification', limit: 10 }, broker.signal)
  expect(crashes).toBe(21)
  expect(messages).toMatchObject([{ reason: 'delivery-limit', diedIn: 'gh.notification' }])
  expect(messages[0]?.content.toString()).toContain(noticeId)
})
