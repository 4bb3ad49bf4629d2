import { randomUUID } from 'node:crypto'
import { DEAD, readDeadLetters } from '@gatehouse/broker'
import { expect } from 'vitest'
import { type BrokerUnderTest, until } from '../../../libs/broker/test/broker-under-test.ts'
import { startNaiveClient } from './naive-client.ts'
import { onEachBroker } from './on-each-broker.ts'

const LETTERS = 20
const LOOKS = 100
/** What RabbitMQ 4 sets by itself and 3.10 does not. */
const DEFAULT_DELIVERY_LIMIT = 20

let broker: BrokerUnderTest
const it = onEachBroker((started) => {
  broker = started
})

it('deletes a dead letter at the 21st look where the queue has the usual delivery limit (T2, naive)', async () => {
  await using naive = await startNaiveClient(broker)
  await naive.declareQueue('naive.dead', { 'x-delivery-limit': DEFAULT_DELIVERY_LIMIT })
  await naive.publish('', 'naive.dead', 'a dead letter')

  let looks = 0
  await until(async () => {
    const letter = await naive.channel.get('naive.dead')
    if (letter === false) return looks > DEFAULT_DELIVERY_LIMIT
    looks += 1
    naive.channel.reject(letter, true)
    return false
  })

  expect(looks).toBe(DEFAULT_DELIVERY_LIMIT + 1)
  expect(await broker.depth('naive.dead')).toBe(0)
})

it('keeps every dead letter, in order, however often they are read (T2)', async () => {
  await using control = await broker.connect({ as: 'control' })
  await using notification = await broker.connect({ as: 'notification' })
  const messageIds = Array.from({ length: LETTERS }, () => randomUUID())
  const letter = { exchange: DEAD, routingKey: 'notification', content: Buffer.from('{}'), type: 'notification.send-notice' }
  for (const messageId of messageIds)
    await notification.publishRaw({ ...letter, messageId, headers: { 'gh-reason': 'no-such-notice' } }, broker.signal)
  const isWhole = async () => (await broker.depth('gh.notification.dead')) === LETTERS

  for (let look = 0; look < LOOKS; look++) {
    await readDeadLetters(control, { service: 'notification', limit: LETTERS }, broker.signal)
    // What was held goes back a moment after the reading ends; each look is to have all of them.
    await until(isWhole)
  }

  const last = await readDeadLetters(control, { service: 'notification', limit: LETTERS }, broker.signal)
  expect(last.messages.map((one) => one.messageId)).toEqual(messageIds)
})
