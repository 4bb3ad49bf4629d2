import { beforeEach, describe, expect, test } from 'vitest'
import { PoolScheduler, type Step } from './pool-scheduler.ts'

let now: number
let scheduler: PoolScheduler
let lastShell: number

beforeEach(() => {
  now = 1_000
  lastShell = 100
  scheduler = new PoolScheduler({ shellsMax: 4, growBackMs: 1_000 })
})

function addJobs(count: number, priority: 'urgent' | 'bulk' = 'bulk', firstId = 1): void {
  for (let i = 0; i < count; i++) scheduler.add(firstId + i, priority)
}

/** Every step there is now, without the last one that waits. */
function steps(): Step[] {
  const seen: Step[] = []
  for (let step = scheduler.next(now); step !== undefined && step.kind !== 'wait'; step = scheduler.next(now)) seen.push(step)
  return seen
}

function openShells(count: number): void {
  for (let i = 0; i < count; i++) scheduler.opened(lastShell++)
}

function jobsOf(seen: readonly Step[]): number[] {
  return seen.flatMap((step) => (step.kind === 'run' ? [step.jobId] : []))
}

describe('PoolScheduler', () => {
  test('opens what it was told to prepare before there is work, once, and does not insist when it is refused', () => {
    scheduler.prepare(9)
    expect(steps()).toEqual([{ kind: 'open' }, { kind: 'open' }, { kind: 'open' }, { kind: 'open' }])
    openShells(4)
    expect(steps()).toEqual([])

    const other = new PoolScheduler({ shellsMax: 4, growBackMs: 1_000 })
    other.prepare(4)
    other.next(now)
    other.openRefused(now)
    expect(other.next(now)).toBeUndefined()
  })

  test('opens no more shells than there is work for, and no more than allowed', () => {
    addJobs(2)
    expect(steps()).toEqual([{ kind: 'open' }, { kind: 'open' }])

    addJobs(10, 'bulk', 3)
    expect(steps()).toEqual([{ kind: 'open' }, { kind: 'open' }])
    expect(scheduler.next(now)).toBeUndefined()
  })

  test('gives each open shell one job, in order, and the next when it is free', () => {
    addJobs(3)
    steps()
    openShells(2)

    expect(jobsOf(steps())).toEqual([1, 2])
    scheduler.freed(100)
    expect(steps()).toContainEqual({ kind: 'run', jobId: 3, shellId: 100 })
  })

  test('prefers the shell that was used last, so that the others get idle', () => {
    addJobs(2)
    steps()
    openShells(2)
    steps()
    scheduler.freed(100)
    scheduler.freed(101)

    addJobs(1, 'bulk', 3)

    expect(steps()).toEqual([{ kind: 'run', jobId: 3, shellId: 101 }])
  })

  test('serves urgent jobs first, but one in nine is bulk', () => {
    addJobs(2, 'bulk', 1)
    addJobs(12, 'urgent', 11)
    steps()
    openShells(1)
    const order: number[] = []

    for (let step = scheduler.next(now); step?.kind === 'run'; step = scheduler.next(now)) {
      order.push(step.jobId)
      scheduler.freed(step.shellId)
    }

    expect(order).toEqual([11, 12, 13, 14, 15, 16, 17, 18, 1, 19, 20, 21, 22, 2])
  })

  test('starts nothing during a pause, and everything exactly when it ends', () => {
    addJobs(1)
    steps()
    openShells(1)

    scheduler.pause(now, 12_345)
    scheduler.pause(now, 10)

    expect(scheduler.next(now + 12_344)).toEqual({ kind: 'wait', until: 13_345 })
    expect(scheduler.next(13_345)).toMatchObject({ kind: 'run' })
  })

  test('puts a refused job before the others', () => {
    addJobs(3)
    steps()
    openShells(1)
    expect(jobsOf(steps())).toEqual([1])

    scheduler.putBack(1, 'bulk')
    scheduler.freed(100)

    expect(jobsOf(steps())).toEqual([1])
  })

  test('shrinks to the shells there are when the quota is reached, and grows back one by one', () => {
    addJobs(10)
    steps()
    openShells(2)
    scheduler.openRefused(now)
    scheduler.openRefused(now)

    expect(scheduler.shells.allowed).toBe(2)
    expect(jobsOf(steps())).toEqual([1, 2])
    expect(scheduler.next(now)).toEqual({ kind: 'wait', until: 3_000 })
    now = 3_000
    expect(steps()).toEqual([{ kind: 'open' }])
    openShells(1)
    steps()
    now = 4_000
    expect(steps()).toEqual([{ kind: 'open' }])
    expect(scheduler.shells.allowed).toBe(4)
  })

  test('waits twice as long when the quota answers again', () => {
    addJobs(10)
    steps()
    openShells(3)
    scheduler.openRefused(now)
    steps()
    now = 2_000
    expect(steps()).toEqual([{ kind: 'open' }])
    scheduler.openRefused(now)

    expect(scheduler.next(now)).toEqual({ kind: 'wait', until: 4_000 })
  })

  test('asks for a lease again after the time that was said', () => {
    addJobs(1)
    steps()
    scheduler.openRefused(now, 77)

    expect(scheduler.next(now)).toEqual({ kind: 'wait', until: 1_077 })
    now = 1_077
    expect(steps()).toEqual([{ kind: 'open' }])
  })

  test('waits longer with each opening that fails', () => {
    addJobs(1)
    const waits: number[] = []

    for (let i = 0; i < 9; i++) {
      expect(steps()).toEqual([{ kind: 'open' }])
      scheduler.openFailed(now)
      const step = scheduler.next(now)
      if (step?.kind !== 'wait') throw new Error('It should wait')
      waits.push(step.until - now)
      now = step.until
    }

    expect(waits).toEqual([250, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000])
  })

  test('spaces its starts once Exchange delays commands, and forgets it in time', () => {
    addJobs(50)
    steps()
    openShells(4)

    scheduler.finish(now, { durationMs: 400, delayedMs: 300 })

    expect(jobsOf(steps())).toHaveLength(3)
    expect(scheduler.next(now)).toEqual({ kind: 'wait', until: now + 100 })
    now += 100_000
    expect(jobsOf(steps())).toHaveLength(1)
    expect(scheduler.next(now)).toBeUndefined()
  })

  test('does not run what was cancelled', () => {
    addJobs(2)
    steps()

    expect(scheduler.cancel(1)).toBe(true)
    expect(scheduler.cancel(1)).toBe(false)
    openShells(1)
    expect(jobsOf(steps())).toEqual([2])
  })

  test('replaces a shell that is gone when there is work', () => {
    addJobs(2)
    steps()
    openShells(2)
    steps()

    scheduler.busyGone()
    addJobs(1, 'bulk', 3)

    expect(steps()).toEqual([{ kind: 'open' }])
  })
})
