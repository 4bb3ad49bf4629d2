import { describe, expect, it } from 'vitest'
import { syncIntervals } from './sync-intervals.ts'

const NOW = new Date('2026-11-25T12:00:00')

describe('the interval that a schedule intends', () => {
  it('is that of its cron expressions', () => {
    const schedule = { enabled: true, fullSync: '0 2 * * *', deltaSync: '*/15 * * * *' }

    expect(syncIntervals(schedule, NOW)).toEqual({ fullSync: 86_400, deltaSync: 900 })
  })

  it('is the longest one: nights and weekends without syncs are meant', () => {
    const schedule = { enabled: true, fullSync: '0 2 * * 0', deltaSync: '*/15 8-17 * * 1-5' }

    const { fullSync, deltaSync } = syncIntervals(schedule, NOW)

    expect(fullSync).toBe(7 * 86_400)
    expect(deltaSync).toBe(2 * 86_400 + 14 * 3_600 + 900)
  })

  it('is the longest month of a schedule by the month', () => {
    const schedule = { enabled: true, fullSync: '0 12 1 * *', deltaSync: '0 * * * *' }

    const { fullSync, deltaSync } = syncIntervals(schedule, NOW)

    // An hour more or less where the clock is put forward or back.
    expect(Math.abs(fullSync - 31 * 86_400)).toBeLessThanOrEqual(3_600)
    expect(deltaSync).toBe(3_600)
  })

  it('is 0 when nothing is scheduled', () => {
    const schedule = { enabled: false, fullSync: '0 2 * * *', deltaSync: '*/15 * * * *' }

    expect(syncIntervals(schedule, NOW)).toEqual({ fullSync: 0, deltaSync: 0 })
  })
})
