import type { BrakeState, OpenChange } from '@gatehouse/store'
import { describe, expect, it } from 'vitest'
import { findBlockWait } from './find-block-wait.ts'

const plan = { allowAdd: [], allowRemove: [], blockAdd: ['A'], blockRemove: [] }
const announced = (fields: Partial<OpenChange>): OpenChange => ({
  id: 'announced',
  state: 'announced',
  plan,
  decision_version: 1,
  is_before_observation: false,
  announced_ms: 0,
  notice_state: null,
  ...fields,
})
const wait = (brake: BrakeState | null, changes: OpenChange[] = [], noticeWaitMs = 900_000, isRedelivered = false) =>
  findBlockWait({ state: { brake, changes }, plan, noticeWaitMs, isRedelivered })

describe('a block', () => {
  it.each([null, 'counting', 'held'] as const)('waits while the brake of its run is %s', (brake) => {
    expect(wait(brake, [announced({ notice_state: 'sent' })])).toMatchObject({ kind: 'wait' })
  })

  it.each(['released', 'confirmed'] as const)('is announced first when the brake is %s', (brake) => {
    expect(wait(brake)).toEqual({ kind: 'announce' })
  })

  it.each(['sent', 'suppressed', 'failed'] as const)('goes when its notice is %s', (notice_state) => {
    expect(wait('released', [announced({ notice_state })])).toEqual({ kind: 'go', announcedId: 'announced' })
  })

  it('goes when its notice has had its time', () => {
    expect(wait('released', [announced({ notice_state: 'pending', announced_ms: 900_000 })])).toMatchObject({ kind: 'go' })
  })

  it('goes at once where no notice is sent', () => {
    expect(wait('released', [], 0)).toEqual({ kind: 'go', announcedId: undefined })
  })

  it('waits longer the longer its notice takes, and never beyond its time', () => {
    const after = (announced_ms: number) => {
      const result = wait('released', [announced({ notice_state: 'pending', announced_ms })])
      return result.kind === 'wait' ? result.afterMs : undefined
    }

    expect([0, 4_000, 60_000, 899_900].map(after)).toEqual([500, 2_000, 5_000, 101])
  })

  it('reminds of a notice nobody has taken note of', () => {
    expect(wait('released', [announced({ announced_ms: 40_000 })])).toMatchObject({ kind: 'remind', announcedId: 'announced' })
  })

  it('reminds at once when the message comes again, for the announcement may have died with whoever had it', () => {
    const again = (notice_state: OpenChange['notice_state']) =>
      wait('released', [announced({ announced_ms: 700, notice_state })], 900_000, true)

    expect(again(null)).toEqual({ kind: 'remind', announcedId: 'announced', afterMs: 500 })
    expect(again('pending')).toMatchObject({ kind: 'wait' })
  })

  it('is announced anew when other devices are to be blocked than were announced', () => {
    const other = announced({ plan: { ...plan, blockAdd: ['A', 'B'] }, notice_state: 'sent' })

    expect(wait('released', [other])).toEqual({ kind: 'announce' })
  })
})
