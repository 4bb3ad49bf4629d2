import { describe, expect, it } from 'vitest'
import { isListShrunk, isShrinkConfirmed } from './is-list-shrunk.ts'

describe('a list that has shrunk', () => {
  it.each([
    [100, 49, true],
    [100, 50, false],
    [100, 0, true],
    [9, 0, false],
    [0, 0, false],
  ])('from %i to %i is a fault: %s', (before, now, expected) => {
    expect(isListShrunk({ before, now })).toBe(expected)
  })

  it('is believed when the next answer agrees', () => {
    expect(isShrinkConfirmed({ refused: 40, now: 42 })).toBe(true)
    expect(isShrinkConfirmed({ refused: 40, now: 0 })).toBe(false)
    expect(isShrinkConfirmed({ refused: undefined, now: 0 })).toBe(false)
    expect(isShrinkConfirmed({ refused: 0, now: 0 })).toBe(true)
  })
})
