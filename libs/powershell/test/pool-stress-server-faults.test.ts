import { RetryableError } from '@gatehouse/messages'
import { afterEach, describe, expect, test } from 'vitest'
import { eventually } from '../../../test/environment/eventually.ts'
import type { RunspacePool } from '../src/index.ts'
import { HandDrivenClock } from './hand-driven-clock.ts'
import { closeAll, LOAD_QUOTA, openPool, options, TOO_MANY_SHELLS } from './open-pool.ts'
import {
  type Call,
  expectTruth,
  failuresOf,
  hangUntilStopped,
  invokeAll,
  invokeOne,
  lasting,
  namesOf,
  type Outcome,
  startQueueing,
} from './pool-stress-server.ts'
import { sendFault } from './scripted-wsman-server.ts'

afterEach(closeAll)

const FOR_EVER = { signal: options.signal, timeoutMs: 100_000_000 }
/** How long a cmdlet may take to stop, unless something else is said. */
const STOP_MS = 10_000
const turn = () => new Promise((resolve) => setImmediate(resolve))

/** Runs the commands, and moves the clock only while the pool waits for it: nothing runs though there is something to run. */
async function waitedFor(pool: RunspacePool, clock: HandDrivenClock, names: readonly string[], stepMs = 5): Promise<Outcome[]> {
  const outcomes = invokeAll(pool, names, FOR_EVER)
  let isDone = false
  void outcomes.then(() => {
    isDone = true
  })
  while (!isDone) {
    await turn()
    const { busy, queued } = pool.stats()
    if (busy === 0 && queued > 0) clock.advance(stepMs)
  }
  return await outcomes
}

const isNotRun = ({ error }: Outcome) => error instanceof RetryableError && error.detail['mayHaveRun'] === false

/** Moves the clock a step with each few turns of the loop: what is on its way arrives in between. */
async function advanceUntil(clock: HandDrivenClock, isDone: () => boolean): Promise<void> {
  while (!isDone()) {
    for (let i = 0; i < 3; i++) await turn()
    clock.advance(100)
  }
}

describe('a hung cmdlet', () => {
  test('costs one shell and one timeout while the other eleven go on', async () => {
    const { server, ran } = await startQueueing(async ({ command }: Call) => {
      if (command.name === 'Get-Hung') return false
      await lasting(3)()
      return true
    })
    const clock = new HandDrivenClock()
    const pool = await openPool(server, { runspaces: 12, clock })
    await invokeAll(pool, namesOf(60))
    let settled = 0

    const hung = invokeOne(pool, 'Get-Hung')
    const others = namesOf(300, 61).map((name) => invokeOne(pool, name).finally(() => settled++))
    // A command may have been sent ahead to the shell of the hung one: it shares its fate (decision 7).
    await eventually(() => expect(settled).toBeGreaterThanOrEqual(299))
    clock.advance(options.timeoutMs)
    clock.advance(STOP_MS)
    const { error } = await hung
    const outcomes = await Promise.all(others)

    expect(error).toMatchObject({ code: 'cmdlet-timeout', detail: { mayHaveRun: true, shellLost: true } })
    expect(failuresOf(outcomes).length).toBeLessThanOrEqual(1)
    expectTruth([...outcomes, { name: 'Get-Hung', error }], ran)
    expect(pool.stats()).toMatchObject({ shellsLost: 1 })
    expect(pool.stats().shellsOpened).toBeLessThanOrEqual(13)
    await eventually(() => expect(server.shells.size).toBe(pool.stats().shells))
  })

  test('costs nothing but its time when it stops, even twelve of them at once', async () => {
    const { server, ran } = await startQueueing(async (call: Call) => {
      if (call.command.name.startsWith('Get-Hung')) await hangUntilStopped(call)
    })
    const pool = await openPool(server, { runspaces: 12 })
    const hung = Array.from({ length: 12 }, (_, n) => invokeOne(pool, `Get-Hung${n}`, { ...options, timeoutMs: 200 }))

    const others = await invokeAll(pool, namesOf(100))

    expect(failuresOf(others)).toEqual([])
    for (const { error } of await Promise.all(hung)) expect(error).toMatchObject({ code: 'cmdlet-timeout' })
    expectTruth(others, ran)
    expect(pool.stats().shellsLost).toBe(0)
  })
})

describe('a server that takes connections and says nothing', () => {
  test('holds up no command that is given to a shell at the very moment when it is given up', async () => {
    const { server, ran } = await startQueueing(lasting(1))
    const clock = new HandDrivenClock()
    const pool = await openPool(server, { runspaces: 4, clock })
    await invokeAll(pool, namesOf(60))
    server.intercept = () => true
    const settledAt: number[] = []
    const note = async (name: string) => {
      const outcome = await invokeOne(pool, name)
      if (!isNotRun(outcome)) settledAt.push(clock.now())
      return outcome
    }
    let isDone = false
    const outcomes = Promise.all(namesOf(8, 61).map(note)).finally(() => {
      isDone = true
    })
    await turn()

    // At one moment all four shells are given up, one after another: each might be given what waits for the one before it.
    clock.advance(options.timeoutMs)
    clock.advance(STOP_MS)
    await advanceUntil(clock, () => isDone)

    // Only those that wait for a runspace are told later, when none can be opened.
    expect(settledAt.length).toBeGreaterThanOrEqual(4)
    expect(Math.max(...settledAt)).toBeLessThan(options.timeoutMs + STOP_MS + 10_000)
    expectTruth(await outcomes, ran)
    // Connections could be made all the time: those that were broken were broken by us.
    for (const { error } of await outcomes) expect(error).not.toMatchObject({ code: 'wsman-connect-failed' })
  })

  test('tells those that wait for a runspace so when each shell has been tried again once, however far apart', async () => {
    const { server, ran } = await startQueueing(lasting(1))
    const clock = new HandDrivenClock()
    const pool = await openPool(server, { runspaces: 2, clock, limits: { openMs: 60_000, closeMs: 1_000 } })
    await invokeAll(pool, namesOf(60))
    server.intercept = () => true
    const began = clock.now()
    let settled = 0
    // The second shell is given up half a minute after the first, so their attempts to open another overlap for ever.
    const outcomes = namesOf(20, 61).map((name, n) =>
      invokeOne(pool, name, { ...options, timeoutMs: 1_000 + n * 30_000 }).finally(() => settled++),
    )

    await advanceUntil(clock, () => settled === 20)

    expect(clock.now() - began).toBeLessThan(200_000)
    expectTruth(await Promise.all(outcomes), ran)
    expect(failuresOf(await Promise.all(outcomes))).toHaveLength(20)
  })

  test('is used again when it answers again', async () => {
    const { server } = await startQueueing(lasting(1))
    const clock = new HandDrivenClock()
    const pool = await openPool(server, { runspaces: 4, clock })
    server.intercept = () => true
    let settled = 0
    const lost = namesOf(20).map((name) => invokeOne(pool, name).finally(() => settled++))
    await advanceUntil(clock, () => settled === 20)
    expect(failuresOf(await Promise.all(lost))).toHaveLength(20)

    server.intercept = undefined
    const outcomes = await waitedFor(pool, clock, namesOf(20, 21), 100)

    expect(failuresOf(outcomes)).toEqual([])
  })
})

describe('a server that loses a shell every few commands', () => {
  for (const [when, isBefore] of [
    ['before their answers', true],
    ['after their answers', false],
  ] as const) {
    test(`gives every result or an error that is true, and runs nothing twice, when it loses them ${when}`, async () => {
      let count = 0
      const { server, ran, lose } = await startQueueing(async (call: Call) => {
        await lasting(1)()
        if (++count % 9 !== 0) return true
        if (isBefore) lose(call)
        else setImmediate(() => lose(call))
        return true
      })
      const pool = await openPool(server, { runspaces: 8 })

      const outcomes = await invokeAll(pool, namesOf(600))

      expectTruth(outcomes, ran)
      for (const { error } of failuresOf(outcomes)) expect(error).toMatchObject({ detail: { shellLost: true } })
      // Each shell that is lost takes the command in it and the one sent ahead with it.
      expect(failuresOf(outcomes).length).toBeLessThanOrEqual(2 * pool.stats().shellsLost)
      expect(pool.stats().invoked).toBe(600 - failuresOf(outcomes).length)
      // One that was lost while it was idle has not been missed yet.
      await eventually(() => expect(server.shells.size).toBeLessThanOrEqual(pool.stats().shells))
    })
  }
})

describe('the order of commands', () => {
  test('of one priority is that of their start, in one runspace', async () => {
    const { server, ran } = await startQueueing(lasting(1))
    const pool = await openPool(server, { runspaces: 1 })

    expect(failuresOf(await invokeAll(pool, namesOf(200)))).toEqual([])

    expect([...ran.keys()]).toEqual(namesOf(200))
  })

  test('is kept when the server refuses everything for a while', async () => {
    const clock = new HandDrivenClock()
    // A cmdlet takes its time on the clock of the pool, so it is seen that what is sent ahead waits for its turn.
    const { server, ran } = await startQueueing(async () => {
      await lasting(1)()
      clock.advance(20)
    })
    let refusedUntil = Number.NEGATIVE_INFINITY
    let refusals = 0
    server.intercept = (action, _request, response, body) => {
      if (action !== 'Command') return false
      if (numberIn(body) % 25 === 0 && refusals < 25) refusedUntil = Math.max(refusedUntil, clock.now() + 1)
      if (clock.now() >= refusedUntil) return false
      refusals++
      sendFault(response, body, 2150858999, LOAD_QUOTA)
      return true
    }
    const pool = await openPool(server, { runspaces: 1, clock, limits: { queueMs: 100_000_000 } })

    const outcomes = await waitedFor(pool, clock, namesOf(200), 100)

    expect(failuresOf(outcomes)).toEqual([])
    expect(refusals).toBeGreaterThanOrEqual(25)
    expect([...ran.keys()]).toEqual(namesOf(200))
  })
})

describe('a server that is asked too much', () => {
  test('has its pauses from all shells, to the millisecond, and every command runs once', async () => {
    const clock = new HandDrivenClock()
    const { server, ran } = await startQueueing(lasting(1))
    let commands = 0
    let pausedFrom = Number.NEGATIVE_INFINITY
    const early: number[] = []
    server.intercept = (action, _request, response, body) => {
      if (action !== 'Command') return false
      // What was on its way when the pause was asked for came at that very moment.
      if (clock.now() > pausedFrom && clock.now() < pausedFrom + 4_321) early.push(clock.now() - pausedFrom)
      if (++commands % 20 !== 0) return false
      pausedFrom = clock.now()
      sendFault(response, body, 2150858999, LOAD_QUOTA)
      return true
    }
    const pool = await openPool(server, { runspaces: 4, clock })
    const outcomes = await waitedFor(pool, clock, namesOf(150), 1)

    expect(failuresOf(outcomes)).toEqual([])
    expectTruth(outcomes, ran)
    expect(early).toEqual([])
    expect(pool.stats().pausedMs).toBeGreaterThanOrEqual(7 * 4_321)
    expect(pool.stats().shellsLost).toBe(0)
  })

  test('slows the pool down by its delays, and the pool is fast again when they end', async () => {
    const clock = new HandDrivenClock()
    let isDelaying = false
    const { server } = await startQueueing(async ({ pipelineId, pool }: Call) => {
      if (isDelaying) pool.warning(pipelineId, 'Micro delay applied. Actual delayed: 500 msecs, Enforced: True')
      await lasting(1)()
    })
    const pool = await openPool(server, { runspaces: 4, clock })
    const timeOf = async (names: string[]) => {
      const before = clock.now()
      expect(failuresOf(await waitedFor(pool, clock, names))).toEqual([])
      return clock.now() - before
    }

    const without = await timeOf(namesOf(40))
    clock.advance(10_000)
    isDelaying = true
    const delayed = await timeOf(namesOf(40, 41))
    isDelaying = false
    clock.advance(60_000)
    const after = await timeOf(namesOf(40, 81))

    expect(without).toBe(0)
    expect(delayed).toBeGreaterThan(1_000)
    // Idle shells have been closed meanwhile, and opening others takes its time.
    expect(after).toBeLessThan(delayed / 10)
  })

  test('never has more shells than it allows, and gets its commands all the same', async () => {
    const { server, ran } = await startQueueing(lasting(1))
    let refusals = 0
    server.intercept = (action, _request, response, body) => {
      if (action !== 'Create' || server.shells.size < 3) return false
      refusals++
      sendFault(response, body, 2150859173, TOO_MANY_SHELLS.replace('2', '3'))
      return true
    }
    const pool = await openPool(server, { runspaces: 12, limits: { growBackMs: 50 } })

    const outcomes = await invokeAll(pool, namesOf(500))

    expect(failuresOf(outcomes)).toEqual([])
    expectTruth(outcomes, ran)
    expect(pool.stats().mostShells).toBe(3)
    // At first it asks for all it may have, then rarely and ever more so.
    expect(refusals).toBeLessThanOrEqual(16)
  })

  test('that refuses commands for being too many at a time runs each of them once', async () => {
    const { server, ran } = await startQueueing(lasting(1))
    let refusals = 0
    server.intercept = (action, _request, response, body) => {
      if (action !== 'Command' || numberIn(body) % 50 !== 0 || refusals > 0) return false
      refusals++
      sendFault(response, body, 2150859174, 'The maximum number of concurrent operations for this user has been exceeded.')
      return true
    }
    const pool = await openPool(server, { runspaces: 4 })

    const outcomes = await invokeAll(pool, namesOf(100))

    expect(failuresOf(outcomes)).toEqual([])
    expectTruth(outcomes, ran)
    expect(pool.stats().shellsLost).toBe(0)
  })
})

/** Of the command in a Command request. */
function numberIn(body: string): number {
  const bytes = Buffer.from(/<rsp:Arguments>([^<]+)</.exec(body)?.[1] ?? '', 'base64').toString('utf8')
  return Number(/Set-(\d+)/.exec(bytes)?.[1] ?? 1)
}

test('an error of a pool is always one of our two classes', async () => {
  const { server } = await startQueueing(lasting(1))
  const pool = await openPool(server, { runspaces: 2 })
  server.intercept = (_action, _request, response) => {
    response.writeHead(200, { 'content-type': 'text/html' }).end('<html>')
    return true
  }

  for (const { error } of await invokeAll(pool, namesOf(20))) expect(error).toBeInstanceOf(RetryableError)
})
