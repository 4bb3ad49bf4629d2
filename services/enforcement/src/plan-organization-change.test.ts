import { describe, expect, it } from 'vitest'
import { planOrganizationChange } from './plan-organization-change.ts'

const desired = {
  default_access_level: 'quarantine' as const,
  exceptions: [{ characteristic: 'DeviceType' as const, queryString: 'iPad', accessLevel: 'allow' as const }],
}
const rule = { identity: 'iPad (DeviceType)', characteristic: 'DeviceType', queryString: 'iPad', accessLevel: 'Allow' }

describe('the change of an organisation', () => {
  it('is nothing when Exchange is as the policy says', () => {
    expect(planOrganizationChange(desired, { defaultAccessLevel: 'quarantine', rules: [rule] })).toEqual([])
  })

  it('makes the exceptions before it lowers the default', () => {
    expect(planOrganizationChange(desired, { defaultAccessLevel: 'Allow', rules: [] })).toEqual([
      { kind: 'new-rule', rule: { characteristic: 'DeviceType', queryString: 'iPad', accessLevel: 'Allow' } },
      { kind: 'set-default', level: 'Quarantine' },
    ])
  })

  it('changes the level of a rule that is there', () => {
    const rules = [{ ...rule, accessLevel: 'Block' }]

    expect(planOrganizationChange(desired, { defaultAccessLevel: 'Quarantine', rules })).toEqual([
      { kind: 'set-rule', identity: rule.identity, level: 'Allow' },
    ])
  })

  it('leaves rules it does not know to whoever made them, also one of the same name on another characteristic', () => {
    const rules = [rule, { ...rule, characteristic: 'DeviceModel', accessLevel: 'Block' }]

    expect(planOrganizationChange(desired, { defaultAccessLevel: 'Quarantine', rules })).toEqual([])
  })
})
