import { expect, it } from 'vitest'
import { fullJitterMs } from './backoff.ts'

it('doubles its ceiling up to the cap and takes a random part of it', () => {
  const at = (attempt: number, random: number) => fullJitterMs(attempt, { baseMs: 250, capMs: 60_000, random: () => random })

  expect([1, 2, 3, 9, 10, 1_000].map((attempt) => at(attempt, 1))).toEqual([250, 500, 1_000, 60_000, 60_000, 60_000])
  expect(at(3, 0.25)).toBe(250)
  expect(at(0, 1)).toBe(250)
})
