import { done } from '@gatehouse/messages'
import { expect, it } from 'vitest'
import { type BrokerUnderTest, START_TIMEOUT_MS, until, useBroker } from './broker-under-test.ts'
import { handleNotices, publishNotice } from './handle-notices.ts'
import { setMemoryAlarm } from './set-memory-alarm.ts'

let broker: BrokerUnderTest
useBroker(
  (started) => {
    broker = started
  },
  { own: true },
)

it(
  'waits while the broker is short of memory, goes on acknowledging, and publishes when it is over',
  async () => {
    if (broker.node === undefined) throw new Error('Needs its own node')
    await using control = await broker.connect()
    await using notification = await broker.connect()
    const noticeId = await publishNotice(control)
    await until(async () => (await broker.depth('gh.notification')) === 1)

    await setMemoryAlarm(broker.node, true)
    const publishing = publishNotice(control)
    await until(() => control.state === 'blocked')
    await using consumer = await handleNotices(notification, () => done)
    await until(async () => consumer.seen.length === 1 && (await broker.depth('gh.notification')) === 0)
    expect(consumer.seen[0]?.noticeId).toBe(noticeId)
    await setMemoryAlarm(broker.node, false)

    const later = await publishing
    await until(() => consumer.seen.some((one) => one.noticeId === later))
    expect(control.state).toBe('ready')
  },
  START_TIMEOUT_MS,
)

it(
  'can be closed while the broker blocks it',
  async () => {
    if (broker.node === undefined) throw new Error('Needs its own node')
    const control = await broker.connect()
    await setMemoryAlarm(broker.node, true)
    const publishing = publishNotice(control)
    const failed = publishing.catch((error) => error)
    await until(() => control.state === 'blocked')

    await control[Symbol.asyncDispose]()

    expect(await failed).toMatchObject({ code: 'broker-closed' })
    expect(control.state).toBe('closed')
    await setMemoryAlarm(broker.node, false)
  },
  START_TIMEOUT_MS,
)
