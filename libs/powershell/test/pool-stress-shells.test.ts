import { afterEach, describe, expect, test } from 'vitest'
import { eventually } from '../../../test/environment/eventually.ts'
import type { PoolLimits } from '../src/index.ts'
import { HandDrivenClock } from './hand-driven-clock.ts'
import { closeAll, openPool, options } from './open-pool.ts'
import { createLeaseBudget } from './pool-stress-leases.ts'
import {
  type Call,
  expectTruth,
  failuresOf,
  hangUntilStopped,
  invokeAll,
  invokeOne,
  lasting,
  namesOf,
  startQueueing,
} from './pool-stress-server.ts'

afterEach(closeAll)

const IDLE_MS = 60_000
/** Longer than any test moves its clock. */
const FOR_EVER = { signal: options.signal, timeoutMs: 100_000_000 }
const PATIENT: Partial<PoolLimits> = { queueMs: 100_000_000, openMs: 100_000_000, ageMs: 100_000_000 }
const turn = () => new Promise((resolve) => setImmediate(resolve))

/** Moves the clock on, a step with each turn of the loop, until `work` is done. */
async function drive<T>(clock: HandDrivenClock, work: Promise<T>, stepMs = 20): Promise<T> {
  let isDone = false
  const watched = work.finally(() => {
    isDone = true
  })
  watched.catch(() => {})
  while (!isDone) {
    await turn()
    clock.advance(stepMs)
  }
  return await watched
}

describe('leases shared by two pools', () => {
  test('are never more than the budget, nor are the shells, however many of them die', async () => {
    const clock = new HandDrivenClock()
    const leases = createLeaseBudget({ max: 6, idleMs: IDLE_MS, now: () => clock.now() })
    let commands = 0
    const { server, ran, lose } = await startQueueing(async (call: Call) => {
      await lasting(1)()
      if (++commands % 7 === 0) lose(call)
      else if (commands % 11 === 0) server.cut()
    })
    const o = { runspaces: 6, clock, leases, limits: PATIENT }
    const [one, other] = [await openPool(server, o), await openPool(server, o)]

    const outcomes = await drive(
      clock,
      Promise.all([invokeAll(one, namesOf(200), FOR_EVER), invokeAll(other, namesOf(200, 201), FOR_EVER)]),
    )

    expectTruth(outcomes.flat(), ran)
    expect(leases.most).toBeLessThanOrEqual(6)
    expect(server.mostShells).toBeLessThanOrEqual(6)
    expect(one.stats().shellsLost + other.stats().shellsLost).toBeGreaterThan(10)
    await drive(clock, Promise.all([one[Symbol.asyncDispose](), other[Symbol.asyncDispose]()]))
    expect(leases.held).toBe(0)
    expect(server.shells.size).toBeLessThanOrEqual(leases.abandoned)
    expect(leases.misuses).toEqual([])
    expect(clock.pending).toBe(0)
  })

  test('go to the other pool when one has nothing to do any more', async () => {
    const clock = new HandDrivenClock()
    const leases = createLeaseBudget({ max: 4, idleMs: IDLE_MS, now: () => clock.now() })
    const { server } = await startQueueing(lasting(2))
    const busy = await openPool(server, { runspaces: 3, clock, leases, limits: PATIENT })
    await invokeAll(busy, namesOf(30), FOR_EVER)
    const other = await openPool(server, { runspaces: 4, clock, leases, limits: PATIENT })
    await invokeAll(other, namesOf(10, 31), FOR_EVER)
    expect([busy.stats().shells, other.stats().shells]).toEqual([3, 1])

    // Both pools look after their idle shells every few seconds, and close them at 36 s.
    clock.advance(40_000)
    await eventually(() => expect(leases.counted).toBe(0))
    await drive(clock, invokeAll(other, namesOf(400, 41), FOR_EVER), 50)

    expect(other.stats().mostShells).toBe(4)
    expect(leases.most).toBe(4)
  })

  test('of shells that could not be deleted count until the idle timeout of the server, and no shell is opened before', async () => {
    const clock = new HandDrivenClock()
    const leases = createLeaseBudget({ max: 2, idleMs: IDLE_MS, now: () => clock.now() })
    const { server, ran } = await startQueueing(({ command }: Call) => command.name === 'Set-3')
    const openedAt: number[] = []
    server.intercept = (action, _request, response, body) => {
      if (action === 'Create') openedAt.push(clock.now())
      // The answers of both commands are lost on the way, and later the wish to delete their shells.
      const isAnswerOfCommand = action === 'Receive' && body.includes('DesiredStream CommandId=')
      const isCut = action === 'Delete' || (isAnswerOfCommand && !ran.has('Set-3'))
      if (isCut) response.socket?.resetAndDestroy()
      return isCut
    }
    const pool = await openPool(server, { runspaces: 2, clock, leases, limits: PATIENT })

    const lost = await drive(clock, invokeAll(pool, namesOf(2), FOR_EVER))
    await eventually(() => expect(leases.abandoned).toBe(2))
    const lostAt = clock.now()
    const waited = await drive(clock, invokeAll(pool, ['Set-3'], FOR_EVER), 100)

    expect(failuresOf(lost)).toHaveLength(2)
    expect(failuresOf(waited)).toEqual([])
    expectTruth([...lost, ...waited], ran)
    expect(openedAt).toHaveLength(3)
    expect(openedAt[2]).toBeGreaterThanOrEqual(lostAt + IDLE_MS)
    // It asks again every two seconds, no more often.
    expect(leases.refusals).toBeLessThanOrEqual(IDLE_MS / 2_000 + 1)
    expect(leases.most).toBe(2)
    server.intercept = undefined
  })
})

describe('a shell', () => {
  test('that nobody uses is closed before the server would, while another one goes on working', async () => {
    const clock = new HandDrivenClock()
    const usedAt = new Map<string, number>()
    const idleWhenDeleted: number[] = []
    const { server } = await startQueueing(lasting(2))
    server.intercept = (action, _request, _response, body) => {
      const shellId = /Name="ShellId">([^<]+)</.exec(body)?.[1] ?? ''
      if (action === 'Delete') idleWhenDeleted.push(clock.now() - (usedAt.get(shellId) ?? 0))
      else usedAt.set(shellId, clock.now())
      return false
    }
    const pool = await openPool(server, { runspaces: 6, clock, limits: PATIENT })
    await invokeAll(pool, namesOf(60), FOR_EVER)
    expect(pool.stats().shells).toBe(6)

    for (let i = 0; i < 20; i++) {
      clock.advance(4_000)
      await invokeOne(pool, `Get-${i}`, FOR_EVER)
    }

    await eventually(() => expect(server.shells.size).toBe(1))
    expect(idleWhenDeleted).toHaveLength(5)
    expect(Math.max(...idleWhenDeleted)).toBeLessThan(IDLE_MS)
    expect(pool.stats()).toMatchObject({ shells: 1, shellsOpened: 6, shellsLost: 0 })
  })

  test('is replaced at its age under load, and no command notices', async () => {
    const clock = new HandDrivenClock()
    const createdAt = new Map<string, number>()
    const ages: number[] = []
    const { server, ran } = await startQueueing(async () => {
      await lasting(1)()
      clock.advance(20)
    })
    server.intercept = (action, _request, _response, body) => {
      const created = /ShellId="([^"]+)"/.exec(body)?.[1]
      if (action === 'Create' && created !== undefined) createdAt.set(created, clock.now())
      const shellId = /Name="ShellId">([^<]+)</.exec(body)?.[1] ?? ''
      if (action === 'Command') ages.push(clock.now() - (createdAt.get(shellId) ?? 0))
      return false
    }
    const pool = await openPool(server, { runspaces: 4, clock, limits: { ...PATIENT, ageMs: 1_000 } })

    const outcomes = await invokeAll(pool, namesOf(400), FOR_EVER)

    expect(failuresOf(outcomes)).toEqual([])
    expectTruth(outcomes, ran)
    expect(pool.stats().shellsLost).toBe(0)
    expect(pool.stats().shellsOpened).toBeGreaterThan(12)
    // One command may have been sent ahead, and the cmdlets of the other shells move the same clock.
    expect(Math.max(...ages)).toBeLessThanOrEqual(1_000 + 4 * 2 * 20 * 2)
    await eventually(() => expect(server.shells.size).toBeLessThanOrEqual(4))
  })
})

describe('closing a pool under load', () => {
  test('answers every command, stops those that run, deletes every shell and gives every lease back', async () => {
    const clock = new HandDrivenClock()
    const leases = createLeaseBudget({ max: 12, idleMs: IDLE_MS, now: () => clock.now() })
    const { server, ran } = await startQueueing(async (call: Call) => {
      if (Number(call.command.name.slice(4)) % 5 === 0) await hangUntilStopped(call)
      else await lasting(1)()
    })
    const pool = await openPool(server, { runspaces: 12, clock, leases, limits: PATIENT })
    const outcomes = invokeAll(pool, namesOf(200), FOR_EVER)
    await eventually(() => expect(ran.size).toBeGreaterThan(24))

    await pool[Symbol.asyncDispose]()

    expectTruth(await outcomes, ran)
    expect(await outcomes).toHaveLength(200)
    expect(server.shells.size).toBe(0)
    expect(leases.held).toBe(0)
    expect(leases.abandoned).toBe(0)
    expect(clock.pending).toBe(0)
  })
})
