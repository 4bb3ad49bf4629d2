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
  'publishes and consumes on after the broker was killed and started again, losing nothing',
  async () => {
    await using control = await broker.connect({ unconfirmedMax: 50 })
    await using notification = await broker.connect()
    await using consumer = await handleNotices(notification, () => done, { concurrency: 50 })
    const publishing = Promise.all(Array.from({ length: 3_000 }, () => publishNotice(control, { signal: broker.signal })))
    await until(() => consumer.seen.length > 200)

    await broker.node?.restart({ kill: true })

    const sent = await publishing
    const seen = () => new Set(consumer.seen.map(({ noticeId }) => noticeId))
    await until(() => seen().size === 3_000)
    expect([...seen()].sort()).toEqual(sent.sort())
    await until(() => control.state === 'ready' && notification.state === 'ready')
  },
  START_TIMEOUT_MS,
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
