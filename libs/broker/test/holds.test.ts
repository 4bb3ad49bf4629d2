import { setTimeout as delay } from 'node:timers/promises'
import { done, later, RetryableError } from '@gatehouse/messages'
import { expect, it } from 'vitest'
import { Breaker, createDependency, createJointDependency, type HandledOutcome } from '../src/index.ts'
import { type BrokerUnderTest, until, useBroker } from './broker-under-test.ts'
import { handleNotices, publishNotice } from './handle-notices.ts'

let broker: BrokerUnderTest
useBroker((started) => {
  broker = started
})

const publishMany = async (count: number): Promise<string[]> => {
  await using control = await broker.connect()
  return await Promise.all(Array.from({ length: count }, () => publishNotice(control)))
}

/** A mail server that is down until told otherwise. */
const createServer = (pauseMsMin = 300) => {
  const breaker = new Breaker({ now: Date.now, random: Math.random, pauseMsMin, pauseMsMax: 2 * pauseMsMin })
  const server = {
    isDown: true,
    asked: 0,
    breaker,
    dependency: createDependency({
      name: 'Mail server',
      breaker,
      judge: (error) => (error instanceof RetryableError && error.code === 'mail-down' ? { reason: error.message } : undefined),
    }),
    ask: async (signal: AbortSignal) => {
      server.asked += 1
      await delay(5, undefined, { signal })
      if (server.isDown) throw new RetryableError('mail-down', 'The mail server does not answer')
      return done
    },
  }
  return server
}

const readyAndDue = async (): Promise<number> =>
  (await broker.depth('gh.notification')) + (await broker.depth('gh.notification.due'))

it('takes nothing while a dependency is down, and everything once it answers, without an attempt spent', async () => {
  const server = createServer()
  const sent = await publishMany(80)
  const outcomes: HandledOutcome[] = []
  await using notification = await broker.connect({ metrics: { handled: (_type, outcome) => outcomes.push(outcome) } })
  await using consumer = await handleNotices(notification, (_id, _context, signal) => server.ask(signal), {
    concurrency: 8,
    dependencies: [server.dependency],
  })

  await until(() => consumer.stats().held !== undefined && consumer.stats().subscribed === 0 && consumer.stats().waiting === 0)
  expect(consumer.stats()).toMatchObject({ held: { by: 'Mail server', reason: 'The mail server does not answer' } })
  // A handful of pauses: at most one message goes first after each of them.
  const asked = server.asked
  const begunAt = performance.now()
  await until(() => server.asked >= asked + 3)
  expect(performance.now() - begunAt).toBeGreaterThan(600)
  server.isDown = false

  await until(() => outcomes.filter((outcome) => outcome === 'done').length === sent.length)
  expect(consumer.stats().held).toBeUndefined()
  expect(consumer.stats().subscribed).toBe(4)
  expect(consumer.seen.every(({ context }) => context.attempt === 1)).toBe(true)
  expect(new Set(outcomes)).toEqual(new Set(['later', 'done']))
  // Those that ran when it went down, and one for each pause since.
  expect(server.asked - sent.length).toBeLessThan(8 + 8)
  await until(async () => (await readyAndDue()) === 0)
})

it('does not mistake a message that fails for a dependency that is down', async () => {
  const server = createServer()
  await using notification = await broker.connect()
  await using consumer = await handleNotices(
    notification,
    (_id, { attempt }) => {
      if (attempt === 1) throw new RetryableError('bad-luck', 'Once')
      return done
    },
    { dependencies: [server.dependency] },
  )
  const sent = await publishMany(5)

  await until(() => consumer.seen.length >= 2 * sent.length)
  expect(consumer.seen.map(({ context }) => context.attempt).sort()).toEqual([1, 1, 1, 1, 1, 2, 2, 2, 2, 2])
  expect(consumer.stats().held).toBeUndefined()
})

it('finishes what is in hand when a dependency goes down meanwhile', async () => {
  const server = createServer(500)
  const letGo = Promise.withResolvers<void>()
  const outcomes: HandledOutcome[] = []
  await using notification = await broker.connect({ metrics: { handled: (_type, outcome) => outcomes.push(outcome) } })
  await using consumer = await handleNotices(
    notification,
    async (_id, _context, signal) => {
      if (consumer.seen.length > 1) return await server.ask(signal)
      await letGo.promise
      return done
    },
    { concurrency: 2, dependencies: [server.dependency] },
  )
  const sent = await publishMany(6)
  await until(() => consumer.stats().held !== undefined && consumer.stats().running === 1)

  server.isDown = false
  letGo.resolve()

  await until(() => outcomes.filter((outcome) => outcome === 'done').length === sent.length)
  expect(outcomes).not.toContain('dropped')
  expect(consumer.seen.every(({ context }) => context.attempt === 1)).toBe(true)
})

it('goes on when only one of several Exchanges is down, and takes nothing when all are', async () => {
  const breakers = [1, 2].map(() => new Breaker({ now: Date.now, random: () => 0, pauseMsMin: 1_000 }))
  const [one, other] = breakers as [Breaker, Breaker]
  await using notification = await broker.connect()
  await using consumer = await handleNotices(
    notification,
    () => {
      const waitMs = one.tryPass()
      if (waitMs > 0) return later(waitMs, 'exchange-paused')
      one.succeeded()
      return done
    },
    { dependencies: [createJointDependency('Exchange', [() => one.pause, () => other.pause])] },
  )

  one.failed()
  const [first] = await publishMany(1)
  await until(() => consumer.seen.length === 1)
  expect(consumer.stats()).toMatchObject({ subscribed: 4, held: undefined })

  other.failed()
  await publishMany(1)
  await until(() => consumer.stats().subscribed === 0)
  expect(consumer.stats().held?.by).toBe('Exchange')

  await until(() => consumer.stats().held === undefined && consumer.stats().subscribed === 4)
  await until(() => consumer.seen.filter(({ noticeId }) => noticeId === first).length >= 2)
  await until(async () => (await readyAndDue()) === 0 && consumer.stats().running === 0)
})

// The last two leave messages in the ladder for a minute, which no other test should meet.
it('leaves the messages in their queues for others meanwhile', async () => {
  const server = createServer(60_000)
  await publishMany(50)
  await using notification = await broker.connect()
  await using consumer = await handleNotices(notification, (_id, _context, signal) => server.ask(signal), {
    concurrency: 4,
    dependencies: [server.dependency],
  })

  await until(() => consumer.stats().held !== undefined && consumer.stats().running === 0)
  await until(async () => (await broker.depth('gh.notification')) >= 46)
  expect(consumer.seen.length).toBeLessThanOrEqual(4)

  await using other = await handleNotices(notification, () => done)
  await until(() => other.seen.length >= 46)
  expect(other.seen.every(({ context }) => context.attempt === 1)).toBe(true)
  // The rest waits in the ladder for as long as the pause lasts.
  await consumer[Symbol.asyncDispose]()
  expect(server.asked).toBe(consumer.seen.length)
})

it('stops at once while it is held, and leaves every message where it was', async () => {
  const server = createServer(60_000)
  await using notification = await broker.connect()
  const consumer = await handleNotices(notification, (_id, _context, signal) => server.ask(signal), {
    concurrency: 2,
    dependencies: [server.dependency],
  })
  await publishMany(10)
  await until(() => consumer.stats().held !== undefined && consumer.stats().running === 0)
  const begun = consumer.seen.length

  await consumer[Symbol.asyncDispose]()

  expect(await broker.depth('gh.notification')).toBe(10 - begun)
})
