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
    expect(steps()).toContainEqual({ kind: 'run', jobId: 3, shellId: 100, isAhead: false })
  })

  test('prefers the shell that was used last, so that the others get idle', () => {
    addJobs(2)
    steps()
    openShells(2)
    steps()
    scheduler.freed(100)
    scheduler.freed(101)

    addJobs(1, 'bulk', 3)

    expect(steps()).toEqual([{ kind: 'run', jobId: 3, shellId: 101, isAhead: false }])
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

  test('counts openings that fail together as one failure', () => {
    addJobs(3)
    expect(steps()).toEqual([{ kind: 'open' }, { kind: 'open' }, { kind: 'open' }])

    scheduler.openFailed(now)
    now += 10
    scheduler.openFailed(now)
    scheduler.openFailed(now)

    expect(scheduler.next(now)).toEqual({ kind: 'wait', until: now + 240 })
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

    scheduler.retired(100)
    addJobs(1, 'bulk', 3)

    expect(steps()).toEqual([{ kind: 'open' }])
  })

  describe('sending ahead', () => {
    /** Four shells with one command each, and so many jobs waiting. */
    function occupyAll(waiting: number): void {
      addJobs(4)
      steps()
      openShells(4)
      steps()
      addJobs(waiting, 'bulk', 5)
    }
    const aheadAt = (aheadMax: number) => scheduler.next(now, aheadMax)

    test('goes to the shell that has been busy longest, one to each, while there is work for every shell', () => {
      occupyAll(9)
      const firstBusy = scheduler.shells.busy
      const seen = [aheadAt(9), aheadAt(9), aheadAt(9), aheadAt(9)]

      expect(firstBusy).toBe(4)
      expect(seen.map((step) => step?.kind === 'run' && [step.jobId, step.shellId, step.isAhead])).toEqual([
        [5, 103, true],
        [6, 102, true],
        [7, 101, true],
        [8, 100, true],
      ])
      expect(aheadAt(9)).toBeUndefined()
    })

    test('does not happen when less work waits than shells are busy', () => {
      occupyAll(3)
      expect(aheadAt(9)).toBeUndefined()
    })

    test('keeps to how many may wait at once', () => {
      occupyAll(9)
      expect(aheadAt(1)).toMatchObject({ isAhead: true })
      expect(aheadAt(1)).toBeUndefined()
    })

    test('a shell goes on with what was sent ahead, and takes the next ahead', () => {
      occupyAll(9)
      for (let i = 0; i < 4; i++) aheadAt(9)

      expect(scheduler.freed(103)).toBe(false)
      expect(aheadAt(9)).toEqual({ kind: 'run', jobId: 9, shellId: 103, isAhead: true })
      expect(scheduler.freed(102)).toBe(false)
      expect(scheduler.freed(102)).toBe(true)
      expect(scheduler.shells).toMatchObject({ busy: 3, idle: 1 })
    })

    test('a shell that is lost is gone when both of its commands are', () => {
      occupyAll(9)
      aheadAt(9)

      expect(scheduler.retired(103)).toBe(false)
      expect(scheduler.shells.busy).toBe(4)
      expect(scheduler.retired(103)).toBe(true)
      expect(scheduler.shells.busy).toBe(3)
    })
  })
})
