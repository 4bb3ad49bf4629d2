import { beforeEach, describe, expect, it } from 'vitest'
import { ConcurrencyLimit } from './concurrency-limit.ts'

let now = 0
let limit: ConcurrencyLimit

beforeEach(() => {
  now = 0
  limit = new ConcurrencyLimit({ ceiling: 64, now: () => now })
})

const overload = (): void => limit.ended('overload', { startedAt: now, inHand: limit.current })
const round = (): void => {
  for (let run = limit.current; run > 0; run--) limit.ended('fine', { startedAt: now, inHand: limit.current })
}

describe('the concurrency limit', () => {
  it('begins at its ceiling and stays there while all goes well', () => {
    for (let each = 0; each < 1_000; each++) {
      limit.ended('fine', { startedAt: now, inHand: 64 })
      limit.measured(100)
    }

    expect(limit.current).toBe(64)
  })

  it('is halved by overload, and cut once for all that ran together', () => {
    now = 1_000
    overload()
    for (let each = 0; each < 63; each++) limit.ended('overload', { startedAt: 500, inHand: 64 })

    expect(limit.current).toBe(32)
  })

  it('is halved again when what began after the cut is refused too, never below 1', () => {
    for (let each = 0; each < 20; each++) {
      now += 1_000
      overload()
    }

    expect(limit.current).toBe(1)
  })

  it('grows by one with every round that goes well, back to its ceiling', () => {
    overload()
    round()
    expect(limit.current).toBeGreaterThanOrEqual(32)
    round()
    expect(limit.current).toBe(33)
    for (let each = 0; each < 40; each++) round()

    expect(limit.current).toBe(64)
  })

  it('does not grow while it is not used up', () => {
    overload()
    for (let each = 0; each < 1_000; each++) limit.ended('fine', { startedAt: now, inHand: 3 })

    expect(limit.current).toBe(32)
  })

  it('takes no notice of failures that are not about load', () => {
    for (let each = 0; each < 100; each++) limit.ended('nothing', { startedAt: now, inHand: 64 })

    expect(limit.current).toBe(64)
  })

  it('does not mind latencies that vary around what is usual', () => {
    for (let each = 0; each < 2_000; each++) limit.measured(each % 10 === 0 ? 400 : 60)

    expect(limit.current).toBe(64)
  })

  it('comes down when answers take many times as long as usual, and goes up again with them', () => {
    for (let each = 0; each < 600; each++) limit.measured(50)
    for (let each = 0; each < 60; each++) limit.measured(1_000)
    const low = limit.current
    for (let each = 0; each < 400; each++) limit.measured(50)

    expect(low).toBeLessThan(20)
    expect(low).toBeGreaterThanOrEqual(1)
    expect(limit.current).toBe(64)
  })

  it('takes a latency that stays for the usual one after a while', () => {
    for (let each = 0; each < 600; each++) limit.measured(50)
    for (let each = 0; each < 3_000; each++) limit.measured(1_000)

    expect(limit.current).toBe(64)
  })

  it('does not slow down over milliseconds', () => {
    for (let each = 0; each < 600; each++) limit.measured(0.2)
    for (let each = 0; each < 200; each++) limit.measured(4)

    expect(limit.current).toBe(64)
  })
})
