import { beforeEach, describe, expect, test } from 'vitest'
import { StartPace } from './start-pace.ts'

const SHELLS = 10
const WORK_MS = 100

let now: number
let pace: StartPace

beforeEach(() => {
  now = 0
  pace = new StartPace()
})

/** Starts that ten shells make in so many seconds, when every nth command takes half a second more. */
function work(seconds: number, delayEvery: number): number {
  let started = 0
  for (const end = now + seconds * 1_000; now < end; ) {
    now += Math.max(WORK_MS / SHELLS, pace.at(now))
    started++
    const delayedMs = started % delayEvery === 0 ? 500 : 0
    pace.finish(now, { durationMs: WORK_MS + delayedMs, delayedMs }, SHELLS)
  }
  return started
}

const NEVER = Number.POSITIVE_INFINITY

describe('StartPace', () => {
  test('does not hold anything back while nothing is delayed', () => {
    expect(work(5, NEVER)).toBe(500)
    expect(pace.at(now)).toBe(0)
  })

  test('one command in a hundred delayed costs next to nothing, however long it goes on', () => {
    expect(work(120, 100)).toBeGreaterThan(0.9 * 12_000)
  })

  test('all of them delayed makes starts ever rarer, down to one a second', () => {
    const perSecond = Array.from({ length: 12 }, () => work(1, 1))

    expect(perSecond.at(-1)).toBeLessThanOrEqual(2)
    expect(pace.at(now)).toBe(1_000)
  })

  test('comes back to full speed within half a minute of the last delay', () => {
    work(20, 1)
    work(30, NEVER)

    expect(pace.at(now)).toBe(0)
  })

  test('comes back to full speed while there is no work at all', () => {
    work(20, 1)
    now += 60_000

    expect(pace.at(now)).toBe(0)
  })

  test('slows from the first delay on', () => {
    pace.finish(now, { durationMs: 600, delayedMs: 500 }, SHELLS)

    expect(pace.at(now)).toBe(60)
  })
})
