import type { MailboxToDecide } from '@gatehouse/store'
import { describe, expect, it } from 'vitest'
import { planMailboxDecision } from './plan-mailbox-decision.ts'

const NOW = new Date('2026-11-24T12:00:00Z')
const PHONE = {
  id: 'm1',
  userId: 'anna',
  easDeviceId: 'PHONE1',
  easActivated: true,
  azureAdRegistered: true,
  deviceRegistrationState: 'registered',
  complianceState: 'compliant',
  complianceGraceExpiresAt: null,
  managementAgent: 'mdm',
  lastSyncDateTime: null,
  refreshedAt: '2026-11-24T11:00:00Z',
}
const device = (deviceId: string) => ({
  id: `id of ${deviceId}`,
  deviceId,
  deviceType: 'iPhone',
  deviceModel: 'iPhone15C2',
  accessState: 'Quarantined',
})
const user = (id: string, by: 'upn' | 'mail') => ({ id, upn: id, licensed: true, included: true, excluded: false, by })
const plan = (change: Partial<MailboxToDecide['changes'][number]['plan']>) => ({
  allowAdd: [],
  allowRemove: [],
  blockAdd: [],
  blockRemove: [],
  ...change,
})
const STATE: MailboxToDecide = {
  id: 'm',
  organization_id: 'o',
  decision_version: null,
  primary_smtp_address: 'anna@contoso.example',
  allowed_device_ids: [],
  blocked_device_ids: [],
  policy: { version: 1, enabled: true, override_default_rule: true, unknown_compliance: 'noncompliant' },
  default_access_level: 'quarantine',
  platform_exceptions: [],
  devices: [device('PHONE1'), device('PHONE2')],
  users: [user('anna', 'upn')],
  managed_devices: [PHONE],
  own: [],
  changes: [],
}
const exemptions = (state: Partial<MailboxToDecide>) =>
  planMailboxDecision({ ...STATE, ...state }, NOW)?.decisions.map((one) => [one.device_id, one.exemption, one.reason])

describe('the decision of a mailbox', () => {
  it('decides each device by the managed device that carries its id', () => {
    expect(exemptions({})).toEqual([
      ['PHONE1', 'allow', 'compliant'],
      ['PHONE2', 'block', 'not-enrolled'],
    ])
  })

  it('counts only the blocks that are not in the list yet', () => {
    expect(planMailboxDecision(STATE, NOW)?.wouldBlock).toBe(1)
    const own = [{ key: 'phone2', list: 'block' as const }]
    expect(planMailboxDecision({ ...STATE, blocked_device_ids: ['Phone2'], own }, NOW)?.wouldBlock).toBe(0)
  })

  it('takes an entry that is not ours for the administrator’s, in any case of its letters', () => {
    expect(exemptions({ allowed_device_ids: ['phone2'] })).toContainEqual(['PHONE2', 'none', 'admin-exemption'])
  })

  it('goes on deciding a device whose entry is ours', () => {
    expect(exemptions({ allowed_device_ids: ['PHONE2'], own: [{ key: 'phone2', list: 'allow' }] })).toContainEqual([
      'PHONE2',
      'block',
      'not-enrolled',
    ])
  })

  it('does not take an entry that we removed after the last read for the administrator’s', () => {
    const changes = [{ state: 'written' as const, plan: plan({ allowRemove: ['PHONE2'], blockAdd: ['PHONE2'] }) }]
    const own = [{ key: 'phone2', list: 'block' as const }]

    expect(exemptions({ allowed_device_ids: ['PHONE2'], changes, own })).toContainEqual(['PHONE2', 'block', 'not-enrolled'])
  })

  it('does not take an entry that an interrupted write of ours may have added for the administrator’s', () => {
    const changes = [{ state: 'writing' as const, plan: plan({ blockAdd: ['PHONE2'] }) }]

    expect(exemptions({ blocked_device_ids: ['PHONE2'], changes })).toContainEqual(['PHONE2', 'block', 'not-enrolled'])
  })

  it('prefers the user whose name is the address to one whose mail is', () => {
    expect(exemptions({ users: [user('bob', 'mail'), user('anna', 'upn')] })).toContainEqual(['PHONE1', 'allow', 'compliant'])
  })

  it('touches nothing when two users have the address as mail', () => {
    expect(exemptions({ users: [user('anna', 'mail'), user('bob', 'mail')] })).toContainEqual([
      'PHONE1',
      'none',
      'user-ambiguous',
    ])
  })

  it('waits until there are a policy and the settings of the organisation', () => {
    expect(planMailboxDecision({ ...STATE, policy: null }, NOW)).toBeUndefined()
    expect(planMailboxDecision({ ...STATE, default_access_level: null }, NOW)).toBeUndefined()
  })

  it('keeps what it was decided from', () => {
    const [first] = planMailboxDecision(STATE, NOW)?.decisions ?? []

    expect(first?.inputs).toMatchObject({
      policyVersion: 1,
      user: { id: 'anna' },
      managedDevices: [{ id: 'm1' }],
      adminExemption: null,
    })
  })
})
