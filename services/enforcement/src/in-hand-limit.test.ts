import { describe, expect, it } from 'vitest'
import { inHandLimit } from './in-hand-limit.ts'

describe('how many messages a worker holds', () => {
  const organization = { inHandMax: 72, runspaces: 12 }

  it.each([
    ['everything before it knows of its shells', undefined, 250, 72],
    ['everything with all its shells', 12, 250, 72],
    ['a share with a share of them', 3, 250, 18],
    ['few with the last one', 1, 250, 6],
    ['one when there is none', 0, 250, 1],
    ['no more than its part of the slots when many organisations have work', 12, 25, 25],
    ['the lesser of the two', 3, 25, 18],
    ['one when there are more organisations than slots', 12, 0, 1],
  ])('is %s', (_what, shellsAllowed, slotsShare, limit) => {
    expect(inHandLimit(organization, { shellsAllowed, slotsShare })).toBe(limit)
  })
})
