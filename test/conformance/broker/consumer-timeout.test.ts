import { done } from '@gatehouse/messages'
import type { ConsumeMessage } from 'amqplib'
import { expect } from 'vitest'
import { type BrokerUnderTest, START_TIMEOUT_MS, until } from '../../../libs/broker/test/broker-under-test.ts'
import { handleNotices, publishNotice } from '../../../libs/broker/test/handle-notices.ts'
import { startNaiveClient } from './naive-client.ts'
import { onEachBroker } from './on-each-broker.ts'

const TIMEOUT_MS = 3_000

let broker: BrokerUnderTest
const it = onEachBroker(
  (started) => {
    broker = started
  },
  { own: true },
)

/** As good as the half hour that it is by default, and looked at every second instead of every minute, on channels made later. */
async function shortenTimeout(): Promise<void> {
  const settings = { consumer_timeout: TIMEOUT_MS, channel_tick_interval: 1_000 }
  const set = Object.entries(settings).map(([name, value]) => `application:set_env(rabbit, ${name}, ${value})`)
  await broker.node?.rabbitmqctl('eval', `${set.join(', ')}.`)
}

it(
  'gets nothing any more once it kept one message for too long (naive)',
  async () => {
    await shortenTimeout()
    await using naive = await startNaiveClient(broker)
    await naive.declareQueue('naive.work')
    for (const body of ['kept too long', 'kept beside it']) await naive.publish('', 'naive.work', body)
    const model = await broker.raw()
    const channel = await model.createChannel()
    // Before 4.3 the channel is closed with 406; from then on the consumer is cancelled.
    const ended = new Promise<string>((resolve) => {
      channel.once('error', (error: Error) => resolve(error.message))
      channel.once('cancelled', () => resolve('cancelled'))
    })
    const came: ConsumeMessage[] = []
    await channel.consume('naive.work', (raw) => {
      if (raw === null) channel.emit('cancelled')
      else came.push(raw)
    })
    await until(() => came.length === 2)

    expect(await ended).toMatch(/^cancelled$|delivery acknowledgement on channel \d+ timed out/)

    await naive.publish('', 'naive.work', 'later')
    await until(async () => (await broker.depth('naive.work')) === 3)
    expect(came).toHaveLength(2)
    await model.close()
  },
  START_TIMEOUT_MS,
)

it(
  'subscribes again after it kept one message for too long, handles that again, settles each once and loses none',
  async () => {
    await shortenTimeout()
    await using control = await broker.connect({ as: 'control' })
    const outcomes: string[] = []
    await using notification = await broker.connect({
      as: 'notification',
      metrics: { handled: (_type, outcome) => outcomes.push(outcome) },
    })
    const letGo = Promise.withResolvers<void>()
    let slow: string | undefined
    await using consumer = await handleNotices(notification, async (noticeId) => {
      slow ??= noticeId
      const isFirst = consumer.seen.filter((one) => one.noticeId === slow).length === 1
      if (noticeId === slow && isFirst) await letGo.promise
      return done
    })
    const first = await publishNotice(control)

    await until(() => consumer.seen.length === 2)
    const second = await publishNotice(control)
    await until(() => outcomes.length === 2)
    letGo.resolve()
    await until(() => outcomes.length === 3)

    expect(consumer.seen.map(({ noticeId }) => noticeId)).toEqual([first, first, second])
    expect(consumer.seen.map(({ context }) => [context.attempt, context.redelivered])).toEqual([
      [1, false],
      [1, true],
      [1, false],
    ])
    expect(outcomes).toEqual(['done', 'done', 'dropped'])
    expect(await broker.depth('gh.notification')).toBe(0)
    expect(await broker.depth('gh.notification.dead')).toBe(0)
    expect(consumer.stats()).toMatchObject({ running: 0, subscribed: 4 })
  },
  START_TIMEOUT_MS,
)
