import { expect, it } from 'vitest'
import { createLedger } from './ledger.ts'
import { createThrottle } from './throttle.ts'

it('lets a call through once Retry-After has passed', () => {
  let now = 0
  const ledger = createLedger()
  const throttle = createThrottle({ throttleNext: 1, retryAfterSeconds: 2.128 }, ledger, () => now)

  const refused = throttle('a', 'intune')
  now = 2128

  expect(refused?.headers['retry-after']).toBe('2.128')
  expect(throttle('a', 'intune')).toBeUndefined()
  expect(ledger.counts).toMatchObject({ throttled: 1, tooEarly: 0 })
})

it('throttles a call that comes too early again, counts it and lets the wait begin anew', () => {
  let now = 0
  const ledger = createLedger()
  const throttle = createThrottle({ throttleNext: 1, retryAfterSeconds: 1 }, ledger, () => now)

  throttle('a', 'intune')
  now = 900
  const early = throttle('a', 'intune')
  now = 1500
  const stillEarly = throttle('a', 'intune')

  expect([early?.status, stillEarly?.status]).toEqual([429, 429])
  expect(throttle('b', 'intune')).toBeUndefined()
  expect(ledger.counts.tooEarly).toBe(2)
})

it('can hold a whole workload responsible, and can say nothing about the wait', () => {
  const ledger = createLedger()
  const strict = createThrottle({ throttleNext: 1, throttleScope: 'workload' }, ledger, () => 0)
  const silent = createThrottle({ throttleNext: 1, retryAfterSeconds: null }, ledger, () => 0)

  expect(strict('a', 'entra')?.headers['retry-after']).toBe('0.4')
  expect(strict('b', 'entra')?.status).toBe(429)
  expect(strict('c', 'intune')).toBeUndefined()
  expect(silent('a', 'intune')?.headers).not.toHaveProperty('retry-after')
  expect(silent('a', 'intune')).toBeUndefined()
})

it('throttles about as many as asked', () => {
  const ledger = createLedger()
  const throttle = createThrottle({ throttlePercent: 30, seed: 4 }, ledger, () => 0)

  for (let index = 0; index < 1000; index += 1) throttle(`path ${index}`, 'intune')

  expect(ledger.counts.throttled).toBeGreaterThan(250)
  expect(ledger.counts.throttled).toBeLessThan(350)
})
