import { expect, it } from 'vitest'
import { nextBeatMs } from './next-beat-ms.ts'

it('comes every second while a run is open, else every two', () => {
  expect(nextBeatMs({ tookMs: 5, hasFailed: false, hasOpenRuns: true })).toBe(1_000)
  expect(nextBeatMs({ tookMs: 5, hasFailed: false, hasOpenRuns: false })).toBe(2_000)
})

it('leaves the database nine tenths of the time, but nobody waiting for longer than twenty seconds', () => {
  expect(nextBeatMs({ tookMs: 500, hasFailed: false, hasOpenRuns: true })).toBe(4_500)
  expect(nextBeatMs({ tookMs: 65_000, hasFailed: false, hasOpenRuns: true })).toBe(20_000)
})

it('comes soon after one that failed, however long that took', () => {
  expect(nextBeatMs({ tookMs: 65_000, hasFailed: true, hasOpenRuns: true })).toBe(1_000)
})
