import type { Store } from '@gatehouse/store'
import { Registry } from 'prom-client'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { measureClockSkew } from './measure-clock-skew.ts'
import { startClockWatch } from './start-clock-watch.ts'

const NOON = Date.UTC(2026, 0, 1, 12)

describe('the skew of a clock', () => {
  const skewOf = (other: number, [asked, answered]: [number, number]) => {
    const times = [asked, answered]
    return measureClockSkew(
      () => Promise.resolve(new Date(other)),
      () => times.shift() ?? 0,
    )
  }

  it('is positive when ours is ahead, and leaves out what the way may have taken', async () => {
    expect(await skewOf(NOON, [NOON + 5_000, NOON + 5_000])).toBe(5_000)
    expect(await skewOf(NOON, [NOON - 5_000, NOON - 3_000])).toBe(-3_000)
  })

  it('is nothing when the way alone explains it', async () => {
    expect(await skewOf(NOON + 1_500, [NOON, NOON + 4_000])).toBe(0)
  })
})

describe('the watch over the clock', () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())

  const start = async () => {
    const said: string[] = []
    const clock = { oursMs: NOON, isAway: false }
    const query = () => (clock.isAway ? Promise.reject(new Error('Away')) : Promise.resolve({ rows: [{ at: new Date(NOON) }] }))
    const say = ({ reason }: { reason?: string }, text: string) => void said.push(reason ?? text)
    const metrics = new Registry()
    const watch = await startClockWatch({
      pool: { query } as unknown as Store['pool'],
      secondsMax: 60,
      metrics,
      log: { info: say, warn: say, debug: () => {} },
      nowMs: () => clock.oursMs,
    })
    const check = () => watch.check(AbortSignal.timeout(1_000))
    return { watch, clock, said, check, metrics }
  }

  it('makes the worker not ready while the clock is wrong, says so, and shows by how much', async () => {
    const { watch, clock, said, check, metrics } = await start()
    expect(await check()).toBeUndefined()

    clock.oursMs = NOON - 90_000
    await vi.advanceTimersByTimeAsync(120_000)
    expect([await check(), said]).toEqual(['wrong', [expect.stringContaining('90.0 s behind that of PostgreSQL')]])
    expect(await metrics.metrics()).toContain('gatehouse_clock_skew_seconds -90')

    clock.oursMs = NOON
    await vi.advanceTimersByTimeAsync(120_000)
    expect([await check(), said.at(-1)]).toEqual([undefined, 'The clock is right again'])
    await watch[Symbol.asyncDispose]()
  })

  it('keeps what it knew while the database is away', async () => {
    const { watch, clock, check } = await start()
    clock.isAway = true

    await vi.advanceTimersByTimeAsync(240_000)

    expect(await check()).toBeUndefined()
    await watch[Symbol.asyncDispose]()
  })
})
