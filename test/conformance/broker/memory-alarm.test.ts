import { done } from '@gatehouse/messages'
import { expect } from 'vitest'
import { type BrokerUnderTest, START_TIMEOUT_MS, until } from '../../../libs/broker/test/broker-under-test.ts'
import { handleNotices, publishNotice } from '../../../libs/broker/test/handle-notices.ts'
import { setMemoryAlarm } from '../../../libs/broker/test/set-memory-alarm.ts'
import { onEachBroker } from './on-each-broker.ts'

let broker: BrokerUnderTest
const it = onEachBroker(
  (started) => {
    broker = started
  },
  { own: true },
)

it(
  'hangs with everything on a connection that publishes while memory is short (naive), and works off its queue on two',
  async () => {
    if (broker.node === undefined) throw new Error('Needs its own node')
    const model = await broker.raw()
    const channel = await model.createConfirmChannel()
    await channel.assertQueue('naive.alarm', { arguments: { 'x-queue-type': 'quorum' } })
    const working = await model.createChannel()
    await using ours = await broker.connect()
    const noticeIds = [await publishNotice(ours), await publishNotice(ours)]

    await setMemoryAlarm(broker.node, true)
    const blocked = new Promise((resolve) => model.once('blocked', resolve))
    const ended: string[] = []
    const confirmed = new Promise<void>((resolve) => {
      channel.sendToQueue('naive.alarm', Buffer.from('x'), {}, () => resolve())
    }).then(() => ended.push('confirm'))
    await blocked
    const counted = working.checkQueue('naive.alarm').then(() => ended.push('count'))
    const publishing = publishNotice(ours)
    await until(() => ours.state === 'blocked')
    await using consumer = await handleNotices(ours, () => done)
    await until(async () => consumer.seen.length === 2 && (await broker.depth('gh.notification')) === 0)

    expect(ended).toEqual([])
    expect(consumer.seen.map(({ noticeId }) => noticeId)).toEqual(noticeIds)
    await setMemoryAlarm(broker.node, false)
    await Promise.all([confirmed, counted])
    const later = await publishing
    await until(() => consumer.seen.some(({ noticeId }) => noticeId === later))
    await model.close()
  },
  START_TIMEOUT_MS,
)
