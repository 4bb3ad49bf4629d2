import { getEventListeners } from 'node:events'
import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { afterEach, describe, expect, test } from 'vitest'
import { eventually } from '../../../test/environment/eventually.ts'
import { type Clock, systemClock } from '../src/clock.ts'
import { createRemotingEngine, type PowerShellEngine, type RunspacePool, type RunspacePoolStats } from '../src/index.ts'
import { closeAll, LOAD_QUOTA, TOO_MANY_SHELLS, transportOf } from './open-pool.ts'
import { createLeaseBudget, type LeaseBudget } from './pool-stress-leases.ts'
import {
  type Call,
  expectTruth,
  failuresOf,
  hangUntilStopped,
  invokeOne,
  lasting,
  type Outcome,
  type QueueingServer,
  startQueueing,
} from './pool-stress-server.ts'
import { sendFault } from './scripted-wsman-server.ts'

afterEach(closeAll)

const COMMANDS = 2_000
const ROUNDS = 3
const CALLERS = 40
const RUNSPACES = 8
const OPEN_TRIES_MAX = 10
const LIMITS = { openMs: 400, stopMs: 60, closeMs: 150, growBackMs: 20, queueMs: 60_000 }
const MB = 1024 * 1024
/** What one round may leave behind by chance; a leak of a few kilobytes for each command would be more. */
const GROWTH_MAX = 6 * MB

/** Mulberry32: the same numbers for the same seed. */
function createRandom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

/** What goes wrong with a request, and how often in a thousand. */
const REQUEST_FAULTS: readonly { perMille: number; actions: readonly string[]; answer: (o: Faulty) => void }[] = [
  { perMille: 4, actions: ['Create', 'Command', 'Receive', 'Signal', 'Delete'], answer: ({ response }) => drop(response) },
  { perMille: 4, actions: ['Command', 'Receive'], answer: ({ response, body }) => sendFault(response, body, 1, quota(3)) },
  { perMille: 3, actions: ['Command', 'Receive'], answer: ({ response }) => response.writeHead(500).end('<html>') },
  { perMille: 3, actions: ['Command', 'Receive', 'Create'], answer: ({ response }) => response.writeHead(200).end('<s:Env') },
  { perMille: 2, actions: ['Command', 'Signal'], answer: ({ response, body }) => sendFault(response, body, 2150858843, GONE) },
  { perMille: 30, actions: ['Create'], answer: ({ response, body }) => sendFault(response, body, 1, TOO_MANY_SHELLS) },
  { perMille: 30, actions: ['Create', 'Delete'], answer: ({ response }) => response.writeHead(503).end() },
]
type Faulty = { response: ServerResponse; body: string }
const GONE = '[FailureCategory=WSMan-InvalidShellID] The shell was not found on the server.'
const quota = (ms: number) => LOAD_QUOTA.replace('4321', String(ms))
const drop = (response: ServerResponse) => response.socket?.destroy()

type FaultyServer = QueueingServer & { cut(): Promise<void> }

/** A server whose cmdlets mostly take a moment; sometimes they hang, or their shell or every connection is lost. */
async function startFaulty(random: () => number): Promise<FaultyServer> {
  const sockets = new Set<Socket>()
  const started = await startQueueing(async (call: Call) => {
    const dice = random()
    if (dice < 0.004) return false
    if (dice < 0.01) await hangUntilStopped(call)
    else if (dice < 0.018) started.lose(call)
    else if (dice < 0.019) for (const socket of sockets) socket.destroy()
    else await lasting(dice < 0.5 ? 0 : 1)()
    return true
  })
  const { server } = started
  server.intercept = (action, { socket }, response, body) => {
    if (!sockets.has(socket)) socket.once('close', () => sockets.delete(socket))
    sockets.add(socket)
    // Nobody asks for what was asked, and 2,000 commands ask for megabytes.
    server.requests.length = 0
    let dice = random() * 1_000
    for (const { perMille, actions, answer } of REQUEST_FAULTS) {
      if (!actions.includes(action)) continue
      if (dice < perMille) {
        answer({ response, body })
        return true
      }
      dice -= perMille
    }
    return false
  }
  const cut = async () => {
    const closed = [...sockets].map((socket) => new Promise((resolve) => socket.once('close', resolve)))
    for (const socket of sockets) socket.destroy()
    await Promise.all(closed)
  }
  return { ...started, cut }
}

/** Counts the timers that are set and neither ran nor were cancelled. */
function createCountingClock(): Clock & { pending: number } {
  const clock = {
    pending: 0,
    now: () => systemClock.now(),
    setTimeout: (run: () => void, ms: number) => {
      clock.pending++
      let isOver = false
      const over = () => {
        if (!isOver) clock.pending--
        isOver = true
      }
      const cancel = systemClock.setTimeout(() => {
        over()
        run()
      }, ms)
      return () => {
        over()
        cancel()
      }
    },
  }
  return clock
}

type Round = { outcomes: Outcome[]; stats: RunspacePoolStats; leases: LeaseBudget; timers: number; shellsLeft: number }

/** Opening a pool meets the faults too. */
async function openPatiently(engine: PowerShellEngine, signal: AbortSignal): Promise<RunspacePool> {
  for (let tries = 1; ; tries++) {
    try {
      return await engine.open({ runspaces: RUNSPACES, signal })
    } catch (error) {
      if (tries === OPEN_TRIES_MAX) throw error
    }
  }
}

/** One pool from its opening to its end. */
async function runRound(started: FaultyServer, stop: AbortController, prefix: string): Promise<Round> {
  const { server } = started
  server.shells.clear()
  started.ran.clear()
  const clock = createCountingClock()
  const leases = createLeaseBudget({ max: RUNSPACES, idleMs: 300, now: () => performance.now() })
  const engine = createRemotingEngine({
    transport: transportOf(server.url),
    shellsMax: RUNSPACES,
    leases,
    limits: LIMITS,
    clock,
  })
  const pool = await openPatiently(engine, stop.signal)
  const outcomes: Outcome[] = []
  let next = 0
  const call = async () => {
    while (next < COMMANDS) {
      outcomes.push(await invokeOne(pool, `Set-${prefix}${next++}`, { signal: stop.signal, timeoutMs: 120 }))
    }
  }
  await Promise.all(Array.from({ length: CALLERS }, call))
  const stats = pool.stats()
  await engine[Symbol.asyncDispose]()
  const shellsLeft = server.shells.size
  await started.cut()
  return { outcomes, stats, leases, timers: clock.pending, shellsLeft }
}

function heapUsed(): number {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  collect()
  collect()
  return process.memoryUsage().heapUsed
}

describe('2,000 commands with random faults', () => {
  for (const seed of [1, 20_260, 777_777]) {
    test(`end with an answer each, and with nothing left of the pool (seed ${seed})`, { timeout: 240_000 }, async () => {
      const warnings: Error[] = []
      const onWarning = (warning: Error) => warnings.push(warning)
      process.on('warning', onWarning)
      const started = await startFaulty(createRandom(seed))
      const stop = new AbortController()

      const { outcomes, stats, leases, timers, shellsLeft } = await runRound(started, stop, 'A')

      process.off('warning', onWarning)
      expect(outcomes).toHaveLength(COMMANDS)
      expectTruth(outcomes, started.ran)
      expect(failuresOf(outcomes).length).toBeGreaterThan(20)
      expect(failuresOf(outcomes).length).toBeLessThan(COMMANDS / 2)
      expect(stats.shellsLost).toBeGreaterThan(10)
      expect({ timers, held: leases.held, misuses: leases.misuses, listeners: listenersOf(stop), warnings }).toEqual({
        timers: 0,
        held: 0,
        misuses: [],
        listeners: 0,
        warnings: [],
      })
      expect(leases.most).toBeLessThanOrEqual(RUNSPACES)
      expect(shellsLeft).toBeLessThanOrEqual(leases.abandoned)
    })
  }

  test('leave no more memory behind in the third round than in the second', { timeout: 240_000 }, async () => {
    const started = await startFaulty(createRandom(4_242))
    const stop = new AbortController()
    const after: number[] = []
    for (let round = 0; round < ROUNDS; round++) {
      expect((await runRound(started, stop, `R${round}-`)).outcomes).toHaveLength(COMMANDS)
      started.server.shells.clear()
      started.ran.clear()
      await eventually(() => expect(listenersOf(stop)).toBe(0))
      after.push(heapUsed())
    }

    const [, second = 0, third = 0] = after
    expect(third - second).toBeLessThan(GROWTH_MAX)
  })
})

function listenersOf(stop: AbortController): number {
  return getEventListeners(stop.signal, 'abort').length
}
