import type { RunCounts } from '@gatehouse/store'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type RunFacts, trackRun } from './track-run.ts'

const began = new Date('2026-11-24T02:00:00Z')
const soon = new Date('2026-11-24T02:01:00Z')
const limits = {
  brakeMinimum: 20,
  brakePercent: 5,
  quietMs: 15 * 60_000,
  stalledMs: 6 * 3_600_000,
  unconfirmedMs: 24 * 3_600_000,
}
const hoursLater = (hours: number) => new Date(began.getTime() + hours * 3_600_000)

const zero: RunCounts = {
  mailboxes: 0,
  devices: 0,
  decided: 0,
  enforced: 0,
  written: 0,
  failed: 0,
  notices: 0,
  wouldBlock: 0,
  wouldBlockLive: 0,
  decidedByChange: 0,
  partnerships: 1_000,
  lastDecidedAt: null,
  lastEnforcedAt: null,
}
const facts = (run: Partial<RunFacts['run']>, counts: Partial<RunCounts> = {}, changedMailboxes = 0): RunFacts => ({
  run: { status: 'running', brake: 'counting', started_at: began, discovered_at: soon, looked_up_at: soon, ...run },
  counts: { ...zero, wouldBlockLive: counts.wouldBlock ?? 0, ...counts },
  changedMailboxes,
})
const verdict = (...args: Parameters<typeof facts>) => trackRun(facts(...args), limits, soon)

describe('the brake', () => {
  it.each([
    ['counts until Exchange is read', { discovered_at: null }, { mailboxes: 5, decided: 5 }, 'counting'],
    ['counts until Intune is read', { looked_up_at: null }, { mailboxes: 5, decided: 5 }, 'counting'],
    ['counts until every mailbox is decided', {}, { mailboxes: 5, decided: 4, wouldBlock: 900 }, 'counting'],
    ['lets a run go at its limit', {}, { mailboxes: 5, decided: 5, wouldBlock: 50 }, 'released'],
    ['holds a run over its limit', {}, { mailboxes: 5, decided: 5, wouldBlock: 51 }, 'held'],
    ['holds what is decided after the release', { brake: 'released' }, { mailboxes: 6, decided: 5, wouldBlock: 51 }, 'held'],
    ['stays held when fewer would be blocked', { brake: 'held', status: 'held' }, { mailboxes: 5, decided: 5 }, 'held'],
    ['never holds a confirmed run', { brake: 'confirmed' }, { mailboxes: 5, decided: 5, wouldBlock: 900 }, 'confirmed'],
  ] as const)('%s', (_title, run, counts, brake) => {
    expect(verdict(run, counts).brake).toBe(brake)
  })

  it('has a limit of the minimum in a small organisation and of the percentage in a large one', () => {
    expect(verdict({}, { partnerships: 399 }).brakeLimit).toBe(20)
    expect(verdict({}, { partnerships: 50_000 }).brakeLimit).toBe(2_500)
  })

  it('does not count what report-only mode keeps from being written', () => {
    const counts = { mailboxes: 5, decided: 5, wouldBlock: 900, wouldBlockLive: 50 }

    expect(verdict({}, counts)).toMatchObject({ brake: 'released', status: 'running' })
  })

  it('waits for the mailboxes that changed at Intune, until none is to come any more', () => {
    const counts = { mailboxes: 9, decided: 9, wouldBlock: 9, decidedByChange: 9 }
    const after = (ms: number) => trackRun(facts({}, counts, 10), limits, new Date(soon.getTime() + ms)).brake

    expect([verdict({}, counts, 9).brake, after(30_000), after(30_001)]).toEqual(['released', 'counting', 'released'])
  })
})

describe('the end of a run', () => {
  it('comes when every mailbox is enforced', () => {
    expect(verdict({}, { mailboxes: 5, decided: 5, enforced: 4 }).status).toBe('running')
    expect(verdict({}, { mailboxes: 5, decided: 5, enforced: 5, failed: 4 }).status).toBe('succeeded')
  })

  it('comes at once when nothing differs', () => {
    expect(verdict({})).toMatchObject({ status: 'succeeded', brake: 'released' })
  })

  it('is a failure when no mailbox at all could be written', () => {
    expect(verdict({}, { mailboxes: 2, decided: 2, enforced: 2, failed: 2 })).toMatchObject({
      status: 'failed',
      problem: { code: 'sync-all-failed' },
    })
  })

  it('does not come before both sides are read, however many are done', () => {
    expect(verdict({ looked_up_at: null }, { mailboxes: 5, decided: 5, enforced: 5 }).status).toBe('running')
  })

  it('comes when a newer run has taken over the mailboxes that were left', () => {
    const before = verdict({ brake: 'released' }, { mailboxes: 100, decided: 100, enforced: 40 })
    const after = verdict({ brake: 'released' }, { mailboxes: 40, decided: 40, enforced: 40 })

    expect([before.status, after.status]).toEqual(['running', 'succeeded'])
  })

  it('is a failure when nothing has moved for hours, counted from the last thing that did', () => {
    const stuck = (lastEnforcedAt: Date | null) =>
      trackRun(facts({ brake: 'released' }, { mailboxes: 5, decided: 5, enforced: 4, lastEnforcedAt }), limits, hoursLater(7))
        .status

    expect(stuck(null)).toBe('failed')
    expect(stuck(hoursLater(5))).toBe('running')
  })

  it('is far off for a run that is quiet, counted from the last thing that moved or was asked for again', () => {
    const quiet = (minutes: number, more: Partial<RunFacts> = {}) =>
      trackRun({ ...facts({}, { mailboxes: 5, decided: 4 }), ...more }, limits, new Date(soon.getTime() + minutes * 60_000))

    expect([quiet(15).isQuiet, quiet(16).isQuiet, quiet(16).status]).toEqual([false, true, 'running'])
    expect(quiet(16, { requestedAgainAt: new Date(soon.getTime() + 60_000) }).isQuiet).toBe(false)
  })

  it('does not wait for a held run to move', () => {
    const held = facts({ brake: 'held', status: 'held' }, { mailboxes: 5, decided: 5 })

    expect(trackRun(held, limits, hoursLater(1)).isQuiet).toBeUndefined()
  })

  it('waits a day for a held run to be confirmed', () => {
    const held = (hours: number) =>
      trackRun(facts({ brake: 'held', status: 'held' }, { mailboxes: 5, decided: 5 }), limits, hoursLater(hours))

    expect(held(23).status).toBe('held')
    expect(held(25)).toMatchObject({ status: 'failed', problem: { code: 'sync-unconfirmed' } })
  })

  it('is never taken back', () => {
    for (const status of ['succeeded', 'failed'] as const) {
      expect(verdict({ status, brake: 'released' }, { mailboxes: 9, decided: 1, wouldBlock: 900 })).toMatchObject({
        status,
        brake: 'released',
      })
    }
  })
})

describe('any sequence of counts', () => {
  it('never lets a run go that is over its limit and not confirmed', () => {
    const count = fc.nat(200)
    const step = fc.record({ mailboxes: count, decided: count, enforced: count, wouldBlock: count })

    fc.assert(
      fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
        let run: RunFacts['run'] = facts({}).run
        for (const counts of steps) {
          const next = trackRun(facts(run, counts), limits, soon)
          const again = trackRun(facts({ ...run, status: next.status, brake: next.brake }, counts), limits, soon)
          if (next.brake === 'released' && next.status === 'running')
            expect(counts.wouldBlock).toBeLessThanOrEqual(next.brakeLimit)
          expect(again).toMatchObject({ status: next.status, brake: next.brake })
          run = { ...run, status: next.status, brake: next.brake }
        }
      }),
    )
  })
})
