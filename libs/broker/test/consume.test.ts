import { setTimeout as delay } from 'node:timers/promises'
import { done } from '@gatehouse/messages'
import { expect, it } from 'vitest'
import { startCuttableProxy } from '../../../test/environment/cuttable-proxy.ts'
import type { HandledOutcome } from '../src/index.ts'
import { type BrokerUnderTest, until, useBroker } from './broker-under-test.ts'
import { handleNotices, publishNotice } from './handle-notices.ts'

let broker: BrokerUnderTest
useBroker((started) => {
  broker = started
})

const publishMany = async (count: number, lane: 'bulk' | 'urgent'): Promise<string[]> => {
  await using control = await broker.connect()
  return await Promise.all(Array.from({ length: count }, () => publishNotice(control, { lane })))
}

it('handles no more at once than it may', async () => {
  await publishMany(60, 'bulk')
  let running = 0
  let most = 0
  await using notification = await broker.connect()
  await using consumer = await handleNotices(
    notification,
    async () => {
      most = Math.max(most, ++running)
      await delay(5)
      running -= 1
      return done
    },
    { concurrency: 7 },
  )

  await until(() => consumer.seen.length === 60)
  expect(most).toBe(7)
})

it('serves urgent before bulk, but bulk keeps moving', async () => {
  await publishMany(200, 'bulk')
  await publishMany(200, 'urgent')
  await using notification = await broker.connect()
  await using consumer = await handleNotices(
    notification,
    async () => {
      await delay(2)
      return done
    },
    { concurrency: 4 },
  )

  await until(() => consumer.seen.length === 400)

  const first = consumer.seen.slice(0, 200).map(({ context }) => context.lane)
  const bulk = first.filter((lane) => lane === 'bulk').length
  expect(bulk).toBeGreaterThan(15)
  expect(bulk).toBeLessThan(100)
})

it('survives the loss of its connection in the middle of a handler: the message comes again and is done once more', async () => {
  await using proxy = await startCuttableProxy(broker.url)
  const outcomes: HandledOutcome[] = []
  await using notification = await broker.connect({
    url: proxy.url,
    metrics: { handled: (_type, outcome) => outcomes.push(outcome) },
  })
  const letGo = Promise.withResolvers<void>()
  await using consumer = await handleNotices(notification, async () => {
    if (consumer.seen.length === 1) await letGo.promise
    return done
  })
  const [noticeId] = await publishMany(1, 'bulk')
  await until(() => consumer.seen.length === 1)

  proxy.cut()
  await until(() => consumer.seen.length === 2)
  letGo.resolve()

  await until(() => outcomes.length === 2)
  expect(consumer.seen.map((one) => one.noticeId)).toEqual([noticeId, noticeId])
  expect(consumer.seen[1]?.context.redelivered).toBe(true)
  // The first handler's channel is gone: its ack is dropped, the second one's counts.
  expect(outcomes.sort()).toEqual(['done', 'dropped'])
  await until(async () => (await broker.depth('gh.notification')) === 0)
  expect(notification.state).toBe('ready')
})

it('takes a handler that takes too long for failed, and lets it know', async () => {
  const interrupted = Promise.withResolvers<unknown>()
  await using notification = await broker.connect()
  await using consumer = await handleNotices(
    notification,
    async (_id, { attempt }, signal) => {
      if (attempt > 1) return done
      await delay(60_000, undefined, { signal }).catch((error) => interrupted.resolve(error.cause))
      throw new Error('Interrupted')
    },
    { handlerTimeoutMs: 200 },
  )
  await publishMany(1, 'bulk')

  expect(await interrupted.promise).toMatchObject({ code: 'handler-timeout' })
  await until(() => consumer.seen.length === 2)
  expect(consumer.seen[1]?.context.attempt).toBe(2)
})

it('finishes the work in hand when it stops, and gives the rest back', async () => {
  const sent = await publishMany(50, 'bulk')
  await using notification = await broker.connect()
  const letGo = Promise.withResolvers<void>()
  const consumer = await handleNotices(
    notification,
    async () => {
      await letGo.promise
      return done
    },
    { concurrency: 5 },
  )
  await until(() => consumer.stats().waiting > 0 && consumer.stats().running === 5)

  const stopping = consumer[Symbol.asyncDispose]()
  await until(async () => (await broker.depth('gh.notification')) === 45)
  letGo.resolve()
  await stopping

  expect(consumer.seen).toHaveLength(5)
  expect(await broker.depth('gh.notification')).toBe(45)
  await using rest = await handleNotices(notification, () => done)
  await until(() => rest.seen.length === 45)
  expect([...consumer.seen, ...rest.seen].map(({ noticeId }) => noticeId).sort()).toEqual(sent.sort())
})

it('gives back what it had to interrupt when it stops, without spending an attempt', async () => {
  await publishMany(3, 'urgent')
  await using notification = await broker.connect()
  const outcomes: HandledOutcome[] = []
  await using stopped = await broker.connect({ metrics: { handled: (_type, outcome) => outcomes.push(outcome) } })
  const consumer = await handleNotices(
    stopped,
    async (_id, _context, signal) => {
      await delay(60_000, undefined, { signal })
      return done
    },
    { drainMs: 50 },
  )
  await until(() => consumer.seen.length === 3)

  await consumer[Symbol.asyncDispose]()

  expect(outcomes).toEqual(['requeued', 'requeued', 'requeued'])
  await using again = await handleNotices(notification, () => done)
  await until(() => again.seen.length === 3)
  expect(again.seen.map(({ context }) => context.attempt)).toEqual([1, 1, 1])
})
