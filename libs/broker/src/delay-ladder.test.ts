import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { LADDER_DELAY_MS_MAX, LADDER_LEVELS, LADDER_STEP_MS, ladderRoute } from './delay-ladder.ts'

const to = { service: 'discovery', lane: 'bulk' } as const

describe('the route into the delay ladder', () => {
  it('spells the delay in binary and enters at its highest bit', () => {
    expect(ladderRoute(1_250, to)).toEqual({
      exchange: 'gh.retry.l02',
      routingKey: '0.0.0.0.0.0.0.0.0.0.0.1.0.1.bulk.discovery',
      delayMs: 1_250,
    })
  })

  it('goes through without waiting when there is no delay', () => {
    expect(ladderRoute(0, to)).toEqual({
      exchange: 'gh.retry.l00',
      routingKey: `${'0.'.repeat(LADDER_LEVELS)}bulk.discovery`,
      delayMs: 0,
    })
  })

  it('takes nonsense for no delay', () => {
    for (const asked of [-1, Number.NaN]) expect(ladderRoute(asked, to).delayMs).toBe(0)
  })

  it('clamps what is beyond its reach', () => {
    const day = ladderRoute(86_400_000, { service: 'enforcement', lane: 'urgent' })

    expect(day).toEqual({
      exchange: 'gh.retry.l13',
      routingKey: `${'1.'.repeat(LADDER_LEVELS)}urgent.enforcement`,
      delayMs: LADDER_DELAY_MS_MAX,
    })
  })

  it('never comes early and at most one step late, for any delay', () => {
    fc.assert(
      fc.property(fc.nat(LADDER_DELAY_MS_MAX), (asked) => {
        const { routingKey, delayMs, exchange } = ladderRoute(asked, to)
        const bits = routingKey.split('.').slice(0, LADDER_LEVELS).join('')

        expect(Number.parseInt(bits, 2) * LADDER_STEP_MS).toBe(delayMs)
        expect(delayMs).toBeGreaterThanOrEqual(asked)
        expect(delayMs - asked).toBeLessThan(LADDER_STEP_MS)
        // No set bit may lie above the level of entry: it would never be waited for.
        const level = Number(exchange.slice(-2))
        expect(bits.slice(0, LADDER_LEVELS - 1 - level)).not.toContain('1')
      }),
    )
  })
})
