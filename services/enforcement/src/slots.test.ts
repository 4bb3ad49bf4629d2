import { expect, it } from 'vitest'
import type { Organization } from './organization.ts'
import { Slots } from './slots.ts'
import { Turns } from './turns.ts'

const organizationOf = (): Organization => ({ inHand: 0, turns: new Turns() }) as Organization

it('shares the slots between the organisations that have work', () => {
  const slots = new Slots({ max: 240, now: () => 0 })
  const [large, small] = [organizationOf(), organizationOf()]

  expect(slots.shareOf(large)).toBe(240)
  const taken = Array.from({ length: 100 }, () => slots.take(large))
  expect(slots.shareOf(large)).toBe(240)
  expect(slots.shareOf(small)).toBe(120)
  using first = slots.take(small)
  expect(first).toBeDefined()
  expect(slots.shareOf(large)).toBe(120)
  for (const one of taken) one[Symbol.dispose]()

  expect(large.inHand).toBe(0)
  expect(slots.shareOf(small)).toBe(240)
})
