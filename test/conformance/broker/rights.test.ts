import { DEAD, queueNamesOf, readDeadLetters, SERVICE_NAMES } from '@gatehouse/broker'
import { expect } from 'vitest'
import { type BrokerUnderTest, readVersion } from '../../../libs/broker/test/broker-under-test.ts'
import { startNaiveClient } from './naive-client.ts'
import { onEachBroker } from './on-each-broker.ts'

let broker: BrokerUnderTest
const it = onEachBroker((started) => {
  broker = started
})

it('is told how many messages a queue has that is none of its business, on RabbitMQ before 4.3 (naive)', async () => {
  const { major, minor } = await readVersion(broker)
  const isRefused = major > 4 || (major === 4 && minor >= 3)
  const model = await broker.raw('notification')
  const channel = await model.createChannel()
  channel.on('error', () => {})

  const counting = channel.checkQueue('gh.discovery').then(
    ({ messageCount }) => String(messageCount),
    (error: Error) => error.message,
  )

  expect(await counting).toMatch(isRefused ? /ACCESS_REFUSED/ : /^0$/)
  await model.close()
})

it('lets control ask how long every queue of every service is, and take from none of the inboxes but its own', async () => {
  await using control = await broker.connect({ as: 'control' })
  const channel = await control.openChannel(broker.signal)

  const counts = await Promise.all(
    SERVICE_NAMES.flatMap(queueNamesOf).map(async (queue) => (await channel.checkQueue(queue)).messageCount),
  )

  expect(counts.every((count) => count >= 0)).toBe(true)
  await expect(channel.consume('gh.enforcement', () => {})).rejects.toThrow(/ACCESS_REFUSED/)
})

it.for(SERVICE_NAMES)('lets control count and read the dead letters of %s with the rights it has', async (service) => {
  await using naive = await startNaiveClient(broker)
  await naive.publish(DEAD, service, 'put there by hand')
  await using control = await broker.connect({ as: 'control' })

  const read = await readDeadLetters(control, { service, limit: 10 }, broker.signal)

  expect(read).toMatchObject({ total: 1, scanned: 1, messages: [{ content: Buffer.from('put there by hand'), service }] })
})
