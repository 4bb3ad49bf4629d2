import { setTimeout as delay } from 'node:timers/promises'
import { done, RetryableError } from '@gatehouse/messages'
import { expect, it } from 'vitest'
import { ConcurrencyLimit } from '../src/index.ts'
import { type BrokerUnderTest, until, useBroker } from './broker-under-test.ts'
import { handleNotices, publishNotice } from './handle-notices.ts'

const CEILING = 8

let broker: BrokerUnderTest
useBroker((started) => {
  broker = started
})

it('does less at once when it is throttled, and as much as before when it is not any more', async () => {
  await using control = await broker.connect()
  await Promise.all(Array.from({ length: 300 }, () => publishNotice(control)))
  await using notification = await broker.connect()
  const limit = new ConcurrencyLimit({ ceiling: CEILING, now: () => performance.now() })
  const firstRound = Promise.withResolvers<void>()
  let begun = 0
  let running = 0
  let mostAfterCut = 0
  const limits: number[] = []
  await using consumer = await handleNotices(
    notification,
    async (_id, { attempt }) => {
      begun += 1
      running += 1
      // The messages of the first round; some of them may be here before the consumer is. They are under way together.
      const isThrottled = attempt === 1 && begun <= CEILING
      if (begun === CEILING) firstRound.resolve()
      if (begun > 2 * CEILING && begun < 3 * CEILING) mostAfterCut = Math.max(mostAfterCut, running)
      await (isThrottled ? firstRound.promise : delay(5))
      running -= 1
      limits.push(limit.current)
      if (isThrottled) throw new RetryableError('mail-throttled', 'Too many at once', { retryAfterMs: 100 })
      return done
    },
    { concurrency: CEILING, limit },
  )

  await until(() => consumer.seen.length === 300 + CEILING && consumer.stats().running === 0)

  expect(consumer.stats()).toMatchObject({ limit: CEILING, ceiling: CEILING })
  // All of the first round were throttled together: that is one cut, and not eight.
  expect(Math.min(...limits)).toBe(CEILING / 2)
  expect(mostAfterCut).toBeLessThan(CEILING)
  expect(mostAfterCut).toBeGreaterThanOrEqual(CEILING / 2)
})

it('does less at once when handlers take too long', async () => {
  await using control = await broker.connect()
  await Promise.all(Array.from({ length: 4 }, () => publishNotice(control)))
  await using notification = await broker.connect()
  await using consumer = await handleNotices(
    notification,
    async (_id, { attempt }, signal) => {
      if (attempt === 1) await delay(60_000, undefined, { signal })
      return done
    },
    { concurrency: 4, handlerTimeoutMs: 200 },
  )

  await until(() => consumer.seen.length === 8)

  expect(consumer.stats().limit).toBeLessThan(4)
})
