import { describe, expect, it } from 'vitest'
import { inHandLimit } from './in-hand-limit.ts'

describe('how many messages a worker holds', () => {
  const organization = { inHandMax: 72, runspaces: 12 }

  it.each([
    ['everything before it knows of its shells', undefined, 72],
    ['everything with all its shells', 12, 72],
    ['a share with a share of them', 3, 18],
    ['few with the last one', 1, 6],
    ['one when there is none', 0, 1],
  ])('is %s', (_what, shellsAllowed, limit) => {
    expect(inHandLimit(organization, shellsAllowed)).toBe(limit)
  })
})
