import { randomUUID } from 'node:crypto'
import { COMMANDS, DEAD, EVENTS, UNROUTED } from '@gatehouse/broker'
import type { ConfirmChannel } from 'amqplib'
import { expect } from 'vitest'
import type { BrokerUnderTest } from '../../../libs/broker/test/broker-under-test.ts'
import { onEachBroker } from './on-each-broker.ts'

let broker: BrokerUnderTest
const it = onEachBroker((started) => {
  broker = started
})

/** Publishes under a key that no queue is bound to; tells what the publisher hears. */
async function publishNowhere(channel: ConfirmChannel, exchange: string, mandatory: boolean) {
  let returned = 0
  const count = (): void => {
    returned += 1
  }
  channel.on('return', count)
  channel.publish(exchange, 'bulk.nobody.takes-it.v1', Buffer.from('{}'), { persistent: true, mandatory })
  const isConfirmed = await channel.waitForConfirms().then(
    () => true,
    () => false,
  )
  channel.off('return', count)
  return { returned, isConfirmed }
}

it('confirms a message that no queue takes, and loses it (T14, naive)', async () => {
  const model = await broker.raw()
  const channel = await model.createConfirmChannel()

  expect(await publishNowhere(channel, EVENTS, false)).toEqual({ returned: 0, isConfirmed: true })
  expect(await broker.depth(UNROUTED)).toBe(0)
  expect(await publishNowhere(channel, EVENTS, true)).toEqual({ returned: 1, isConfirmed: true })
  await model.close()
})

it('does not return a mandatory message that an alternate exchange takes (T14, naive)', async () => {
  const model = await broker.raw()
  const channel = await model.createConfirmChannel()
  await channel.assertExchange('naive.aside', 'fanout')
  await channel.assertExchange('naive.commands', 'topic', { alternateExchange: 'naive.aside' })
  // The alternate exchange itself leads nowhere: then the message is returned after all.
  expect(await publishNowhere(channel, 'naive.commands', true)).toEqual({ returned: 1, isConfirmed: true })

  await channel.assertQueue('naive.aside', { arguments: { 'x-queue-type': 'quorum' } })
  await channel.bindQueue('naive.aside', 'naive.aside', '')

  expect(await publishNowhere(channel, 'naive.commands', true)).toEqual({ returned: 0, isConfirmed: true })
  await model.close()
})

it.for([
  [COMMANDS, 'bulk.notification-typo.send-notice.v1'],
  [DEAD, 'nobody'],
] as const)('keeps what no queue takes from %s where it can be seen (T14)', async ([exchange, routingKey]) => {
  // As the administrator: the rights of a worker do not let it use a key that is nobody's.
  await using control = await broker.connect()
  const before = await broker.depth(UNROUTED)
  const [messageId, content] = [randomUUID(), Buffer.from('{}')]

  await control.publishRaw({ exchange, routingKey, content, messageId, type: 'x', headers: {} }, broker.signal)

  const model = await broker.raw()
  const channel = await model.createChannel()
  const kept: unknown[] = []
  for (let raw = await channel.get(UNROUTED); raw !== false; raw = await channel.get(UNROUTED))
    kept.push(raw.properties.messageId)
  await model.close()
  expect(kept).toHaveLength(before + 1)
  expect(kept.at(-1)).toBe(messageId)
})

it('fails a publication of an event that no queue takes, for there its absence is a defect (T14)', async () => {
  await using control = await broker.connect()
  const [messageId, content] = [randomUUID(), Buffer.from('{}')]

  const publishing = control.publishRaw(
    { exchange: EVENTS, routingKey: 'bulk.nobody.takes-it.v1', content, messageId, type: 'x', headers: {} },
    broker.signal,
  )

  await expect(publishing).rejects.toMatchObject({ name: 'PermanentError', code: 'unroutable' })
})
