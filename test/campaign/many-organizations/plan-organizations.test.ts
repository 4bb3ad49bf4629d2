import { describe, expect, it } from 'vitest'
import { planOrganizations, shareOut } from './plan-organizations.ts'

describe('the organisations of the campaign', () => {
  it('have the devices asked for, in a long tail', () => {
    const planned = planOrganizations({ organizations: 30, devices: 100_000, seed: 7 })

    expect(planned.reduce((sum, { devices }) => sum + devices, 0)).toBe(100_000)
    expect(planned[0]?.devices).toBeGreaterThan(20_000)
    expect(planned.at(-1)?.devices).toBeLessThan(1_000)
    expect(new Set(planned.map(({ name }) => name)).size).toBe(30)
  })

  it('are shared out evenly, each to one', () => {
    const planned = planOrganizations({ organizations: 30, devices: 100_000, seed: 7 })

    const shares = shareOut(planned, 2)

    const sizes = shares.map((share) => share.reduce((sum, { devices }) => sum + devices, 0))
    expect(Math.abs((sizes[0] ?? 0) - (sizes[1] ?? 0))).toBeLessThan(5_000)
    expect(shares.flat()).toHaveLength(30)
  })
})
