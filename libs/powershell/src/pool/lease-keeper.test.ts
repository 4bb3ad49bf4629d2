import { describe, expect, it } from 'vitest'
import type { Clock } from '../clock.ts'
import { LeaseKeeper } from './lease-keeper.ts'

const RENEW_MS = 20_000
const VALID_MS = 90_000

/** A clock that is moved by hand; whatever is due runs in its order. */
function createHandClock(): Clock & { advance(ms: number): Promise<void> } {
  let now = 0
  const timers = new Set<{ at: number; run: () => void }>()
  return {
    now: () => now,
    setTimeout: (run, ms) => {
      const timer = { at: now + ms, run }
      timers.add(timer)
      return () => timers.delete(timer)
    },
    advance: async (ms) => {
      const end = now + ms
      for (;;) {
        const [next] = [...timers].filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)
        if (next === undefined) break
        timers.delete(next)
        now = next.at
        next.run()
        for (let turn = 0; turn < 5; turn++) await Promise.resolve()
      }
      now = end
    },
  }
}

function start() {
  const clock = createHandClock()
  const renewals: number[] = []
  const state = { isAway: false }
  const lease = {
    id: 'l1',
    validMs: VALID_MS,
    renew: async () => {
      if (state.isAway) throw new Error('The database is away')
      renewals.push(clock.now())
    },
    attach: async () => {},
    release: async () => {},
    abandon: async () => {},
  }
  const keeper = new LeaseKeeper(lease, 0, { clock, log: { warn: () => {} }, renewMs: RENEW_MS })
  return { clock, renewals, state, keeper }
}

describe('a lease that is kept', () => {
  it('is renewed again and again, until it is not needed any more', async () => {
    const { clock, renewals, keeper } = start()

    await clock.advance(70_000)
    keeper.stop()
    await clock.advance(70_000)

    expect([renewals, keeper.isLost]).toEqual([[20_000, 40_000, 60_000], false])
  })

  it('outlives a database that is away for a while: the renewal is tried again', async () => {
    const { clock, renewals, state, keeper } = start()
    await clock.advance(39_000)

    state.isAway = true
    await clock.advance(20_000)
    state.isAway = false
    await clock.advance(3_000)

    expect([renewals, keeper.isLost]).toEqual([[20_000, 60_000], false])
  })

  it('is lost before anybody else may be given its place', async () => {
    const { clock, state, keeper } = start()
    await clock.advance(39_000)

    state.isAway = true
    await clock.advance(24_000)
    expect(keeper.isLost).toBe(false)
    await clock.advance(2_000)

    expect([keeper.isLost, clock.now() - 20_000 < VALID_MS]).toEqual([true, true])
  })
})
