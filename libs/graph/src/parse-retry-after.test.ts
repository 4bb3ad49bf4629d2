import { expect, it } from 'vitest'
import { parseRetryAfter } from './parse-retry-after.ts'

it.each([
  ['2.128', 2_128],
  ['0.4', 400],
  ['0.0001', 1],
  ['120', 120_000],
  ['0', 0],
  [7, 7_000],
])('reads the seconds of Retry-After %s as %i ms, rounded up', (value, ms) => {
  expect(parseRetryAfter(value)).toBe(ms)
})

it('reads a date', () => {
  expect(parseRetryAfter('Tue, 24 Nov 2026 10:00:30 GMT', () => Date.parse('2026-11-24T10:00:00Z'))).toBe(30_000)
})

it.each([undefined, '', 'soon', '-', ['1']])('takes %o for no Retry-After', (value) => {
  expect(parseRetryAfter(value)).toBeUndefined()
})

it('does not wait longer than a day', () => {
  expect(parseRetryAfter('99999999')).toBe(86_400_000)
})
