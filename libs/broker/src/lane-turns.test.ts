import { describe, expect, it } from 'vitest'
import { LaneTurns } from './lane-turns.ts'

const many = { waitingUrgent: 100, waitingBulk: 100, runningBulk: 1, freeSlots: 4, slots: 4 }
const take = (turns: LaneTurns, count: number, counts = many) => Array.from({ length: count }, () => turns.next(counts))

describe('the turns of the lanes', () => {
  it('serves urgent first', () => {
    expect(take(new LaneTurns(), 7)).toEqual(Array(7).fill('urgent'))
  })

  it('gives bulk one turn in eight while urgent messages wait', () => {
    expect(take(new LaneTurns(), 80).filter((lane) => lane === 'bulk')).toHaveLength(10)
  })

  it('gives bulk the last free slot when it holds none', () => {
    expect(new LaneTurns().next({ ...many, runningBulk: 0, freeSlots: 1 })).toBe('bulk')
    expect(new LaneTurns().next({ ...many, runningBulk: 1, freeSlots: 1 })).toBe('urgent')
  })

  it('does not let the only slot be reserved', () => {
    expect(take(new LaneTurns(), 8, { ...many, runningBulk: 0, freeSlots: 1, slots: 1 })).toEqual([
      ...Array(7).fill('urgent'),
      'bulk',
    ])
  })

  it('serves whichever waits alone', () => {
    expect(new LaneTurns().next({ ...many, waitingUrgent: 0 })).toBe('bulk')
    expect(take(new LaneTurns(), 20, { ...many, waitingBulk: 0 })).toEqual(Array(20).fill('urgent'))
    expect(new LaneTurns().next({ ...many, waitingUrgent: 0, waitingBulk: 0 })).toBeUndefined()
  })
})
