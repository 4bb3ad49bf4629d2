import { randomUUID } from 'node:crypto'
import { createTopology, EVENT_HANDLERS, EVENTS, inboxOf } from '@gatehouse/broker'
import type { ConfirmChannel } from 'amqplib'
import { expect } from 'vitest'
import { type BrokerUnderTest, until } from '../../../libs/broker/test/broker-under-test.ts'
import { onEachBroker } from './on-each-broker.ts'

const LENGTH_MAX = 3

let broker: BrokerUnderTest
const it = onEachBroker((started) => {
  broker = started
})

/** Resolves with whether the broker confirmed it. */
function isConfirmed(channel: ConfirmChannel, exchange: string, key = ''): Promise<boolean> {
  return new Promise((resolve) => {
    const options = { persistent: true, messageId: randomUUID() }
    channel.publish(exchange, key, Buffer.from('x'), options, (error: Error | null) => resolve(error === null))
  })
}

/** Takes everything out of a queue until the publishing is over; gives back the ids of the observations. */
async function readIds(channel: ConfirmChannel, queue: string, publishing: Promise<void>): Promise<unknown[]> {
  const ids: unknown[] = []
  let isOver = false
  const over = publishing.finally(() => {
    isOver = true
  })
  await until(async () => {
    const wasOver = isOver
    const raw = await channel.get(queue)
    if (raw === false) return wasOver
    if (raw.properties.type === 'mailbox.observed') ids.push(raw.properties.messageId)
    channel.ack(raw)
    return false
  })
  await over
  return ids
}

it('delivers a refused event to the queues that had room, so that whoever makes it anew invents messages (T10, naive)', async () => {
  const model = await broker.raw()
  const channel = await model.createConfirmChannel()
  const full = { 'x-queue-type': 'quorum', 'x-max-length': LENGTH_MAX, 'x-overflow': 'reject-publish' }
  await channel.assertExchange('naive.events', 'fanout')
  await channel.assertQueue('naive.roomy', { arguments: { 'x-queue-type': 'quorum' } })
  await channel.assertQueue('naive.full', { arguments: full })
  await channel.bindQueue('naive.roomy', 'naive.events', '')
  await channel.bindQueue('naive.full', 'naive.events', '')
  let confirmed = 0
  await until(async () => {
    if (!(await isConfirmed(channel, 'naive.events'))) return true
    confirmed += 1
    return false
  })

  // To the publisher the one event was not accepted, so it makes it anew, twice.
  for (let again = 0; again < 2; again++) expect(await isConfirmed(channel, 'naive.events')).toBe(false)

  expect(await broker.depth('naive.roomy')).toBe(confirmed + 3)
  expect(await broker.depth('naive.full')).toBeLessThan(confirmed + 3)
  await model.close()
})

it('hands no event to two services, so that a full inbox leaves none half delivered (T10)', () => {
  const { bindings } = createTopology()

  for (const services of Object.values(EVENT_HANDLERS)) expect(services).toHaveLength(1)
  const ofEvents = bindings.filter(({ source }) => source === EVENTS).map(({ routing_key }) => routing_key)
  expect(new Set(ofEvents).size).toBe(ofEvents.length)
})

it('repeats a refused event as itself until every queue took it, so that it can be told apart from a new one (T10)', async () => {
  const inbox = inboxOf('compliance-lookup', 'bulk')
  const limit = { pattern: '^other\\.listener$', 'apply-to': 'queues', priority: 20 }
  const path = `/api/policies/${broker.vhost}/tiny`
  const definition = { 'max-length': LENGTH_MAX, overflow: 'reject-publish' }
  await broker.manage({ method: 'PUT', path, body: { ...limit, definition } })
  const model = await broker.raw()
  const channel = await model.createConfirmChannel()
  await channel.assertQueue('other.listener', { arguments: { 'x-queue-type': 'quorum' } })
  await channel.bindQueue('other.listener', EVENTS, 'bulk.mailbox.observed.#')
  await until(async () => !(await isConfirmed(channel, '', 'other.listener')))
  await using discovery = await broker.connect()
  const fields = { organizationId: randomUUID(), mailboxId: randomUUID(), syncRunId: randomUUID() }

  const publishing = discovery.publish('mailbox.observed', fields, { lane: 'bulk', signal: broker.signal })
  await until(async () => (await broker.depth(inbox)) >= 3)
  // Reading makes the room, and finds the event once it is in.
  const listened = await readIds(channel, 'other.listener', publishing)

  expect(listened).toHaveLength(1)
  expect(new Set(await readIds(channel, inbox, publishing))).toEqual(new Set(listened))
  await broker.manage({ method: 'DELETE', path })
  await channel.deleteQueue('other.listener')
  await model.close()
})
