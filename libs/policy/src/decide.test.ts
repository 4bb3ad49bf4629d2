import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Decision, type DecisionInput, decide, explain, type MailboxUser, type ManagedDeviceFacts } from './index.ts'

const NOW = new Date('2026-11-24T12:00:00Z')
const ANNA = { found: 'one', id: 'anna', licensed: true, included: true, excluded: false } as const satisfies MailboxUser
const PHONE: ManagedDeviceFacts = {
  id: 'm1',
  userId: 'anna',
  easDeviceId: 'K6CKULJT',
  easActivated: true,
  azureAdRegistered: true,
  deviceRegistrationState: 'registered',
  complianceState: 'compliant',
  complianceGraceExpiresAt: null,
  managementAgent: 'mdm',
  lastSyncDateTime: new Date('2026-11-24T08:00:00Z'),
}
const INPUT: DecisionInput = {
  policy: { enabled: true, overrideDefaultRule: true, unknownCompliance: 'noncompliant' },
  now: NOW,
  user: ANNA,
  device: { deviceId: 'K6CKULJT', deviceType: 'iPhone', deviceModel: 'iPhone15C2' },
  managedDevices: [PHONE],
  adminExemption: undefined,
  organization: { defaultAccessLevel: 'quarantine', platformExceptions: [] },
}
const allow = (reason: Decision['reason']): Decision => ({ access: 'allow', exemption: 'allow', reason })
const block = (reason: Decision['reason']): Decision => ({ access: 'block', exemption: 'block', reason })
const untouched = (reason: Decision['reason'], access: Decision['access'] = 'quarantine'): Decision => ({
  access,
  exemption: 'none',
  reason,
})
const phone = (change: Partial<ManagedDeviceFacts>) => ({ managedDevices: [{ ...PHONE, ...change }] })
const noOverride = { policy: { ...INPUT.policy, overrideDefaultRule: false } }
const rule = (characteristic: 'DeviceType' | 'DeviceModel', queryString: string, accessLevel: Decision['access']) => ({
  characteristic,
  queryString,
  accessLevel,
})
const organization = (
  defaultAccessLevel: Decision['access'],
  ...platformExceptions: DecisionInput['organization']['platformExceptions'][number][]
) => ({ organization: { defaultAccessLevel, platformExceptions } })

const PATHS: [title: string, change: Partial<DecisionInput>, expected: Decision][] = [
  ['a policy that is off touches nobody', { policy: { ...INPUT.policy, enabled: false } }, untouched('policy-disabled')],
  ['a mailbox without a user is not touched', { user: { found: 'none' } }, untouched('user-not-found')],
  ['a mailbox with several users is not touched', { user: { found: 'several' } }, untouched('user-ambiguous')],
  ['an untargeted user is not touched', { user: { ...ANNA, included: false } }, untouched('user-not-targeted')],
  ['exclusion wins over inclusion', { user: { ...ANNA, excluded: true } }, untouched('user-excluded')],
  ['a targeted user without a licence is not touched', { user: { ...ANNA, licensed: false } }, untouched('user-not-licensed')],
  ['an administrator’s allow stands', { adminExemption: 'allow', managedDevices: [] }, untouched('admin-exemption', 'allow')],
  ['an administrator’s block stands', { adminExemption: 'block' }, untouched('admin-exemption', 'block')],
  ['a device that is not enrolled is blocked', { managedDevices: [] }, block('not-enrolled')],
  [
    'a partnership without an EAS id is not touched, whatever Intune lists without one',
    { ...phone({ easDeviceId: '' }), device: { ...INPUT.device, deviceId: ' ' } },
    untouched('device-id-missing'),
  ],
  ['a record of the old connector is no enrolment', phone({ managementAgent: 'eas' }), block('not-enrolled')],
  ['ids of users are compared without case', phone({ userId: 'ANNA' }), allow('compliant')],
  ['another device of the same model is not this one', phone({ easDeviceId: 'OTHER' }), block('not-enrolled')],
  ['a colleague’s device does not open the mailbox', phone({ userId: 'bob' }), block('device-of-another-user')],
  ['a device whose e-mail is not activated is blocked', phone({ easActivated: false }), block('eas-id-not-activated')],
  ['a device that is not registered in Entra is blocked', phone({ azureAdRegistered: false }), block('not-registered')],
  ['a revoked registration is none', phone({ deviceRegistrationState: 'revoked' }), block('not-registered')],
  ['a noncompliant device is blocked', phone({ complianceState: 'noncompliant' }), block('noncompliant')],
  ['a conflict is not compliance', phone({ complianceState: 'conflict' }), block('compliance-conflict')],
  ['an error is not compliance', phone({ complianceState: 'error' }), block('compliance-error')],
  ['a state that is not known yet is not compliance', phone({ complianceState: 'somethingNew' }), block('compliance-error')],
  ['unknown counts as the policy says: not', phone({ complianceState: 'unknown' }), block('compliance-unknown')],
  ['configManager counts as the policy says: not', phone({ complianceState: 'configManager' }), block('compliance-unknown')],
  [
    'unknown counts as the policy says: yes',
    { ...phone({ complianceState: 'unknown' }), policy: { ...INPUT.policy, unknownCompliance: 'compliant' } },
    allow('compliance-unknown-accepted'),
  ],
  ['a grace period without an end keeps access', phone({ complianceState: 'inGracePeriod' }), allow('in-grace-period')],
  [
    'a grace period that lasts keeps access',
    phone({ complianceState: 'inGracePeriod', complianceGraceExpiresAt: new Date(+NOW + 1) }),
    allow('in-grace-period'),
  ],
  [
    'a grace period that is over ends access',
    phone({ complianceState: 'inGracePeriod', complianceGraceExpiresAt: NOW }),
    block('grace-period-expired'),
  ],
  ['an enrolled and compliant device is allowed', {}, allow('compliant')],
  ['ids are compared without case and padding', phone({ easDeviceId: ' k6ckuljt ' }), allow('compliant')],
  [
    'of several records of one phone the one heard from last counts: allowed',
    { managedDevices: [{ ...PHONE, lastSyncDateTime: null, complianceState: 'noncompliant' }, PHONE] },
    allow('compliant'),
  ],
  [
    'of several records of one phone the one heard from last counts: blocked',
    { managedDevices: [PHONE, { ...PHONE, lastSyncDateTime: NOW, complianceState: 'noncompliant' }] },
    block('noncompliant'),
  ],
  [
    'of equally new records the least favourable counts',
    { managedDevices: [PHONE, { ...PHONE, complianceState: 'noncompliant' }] },
    block('noncompliant'),
  ],
  ['without the override the default applies to a compliant device', noOverride, untouched('default-rule-applies')],
  [
    'without the override a platform exception that matches applies',
    { ...noOverride, ...organization('quarantine', rule('DeviceModel', 'IPHONE15C2', 'allow')) },
    untouched('default-rule-applies', 'allow'),
  ],
  [
    'without the override a noncompliant device is blocked all the same',
    { ...noOverride, ...phone({ complianceState: 'noncompliant' }) },
    block('noncompliant'),
  ],
  [
    'with the override a compliant device gets in although a platform exception says block',
    organization('block', rule('DeviceType', 'iPhone', 'block')),
    allow('compliant'),
  ],
  [
    'of several matching exceptions Exchange’s own order decides: block, quarantine, allow',
    {
      user: { ...ANNA, included: false },
      ...organization(
        'allow',
        rule('DeviceType', 'iPhone', 'allow'),
        rule('DeviceModel', 'iPhone15C2', 'quarantine'),
        rule('DeviceType', 'Android', 'block'),
      ),
    },
    untouched('user-not-targeted', 'quarantine'),
  ],
]

describe('the decision', () => {
  it.each(PATHS)('%s', (_title, change, expected) => {
    expect(decide({ ...INPUT, ...change })).toEqual(expected)
  })

  it('has a sentence for every reason it gives', () => {
    for (const [, change] of PATHS) expect(explain(decide({ ...INPUT, ...change }).reason)).toMatch(/^[A-Z].* /)
    expect(explain('constructor')).toBe('constructor')
  })
})

const managedDevice = fc.record({
  id: fc.string(),
  userId: fc.constantFrom('anna', 'bob'),
  easDeviceId: fc.constantFrom('K6CKULJT', 'k6ckuljt', ' K6CKULJT', 'OTHER', ''),
  easActivated: fc.boolean(),
  azureAdRegistered: fc.boolean(),
  deviceRegistrationState: fc.constantFrom('registered', 'notRegistered', 'revoked'),
  complianceState: fc.constantFrom('compliant', 'noncompliant', 'inGracePeriod', 'unknown', 'conflict', 'error'),
  complianceGraceExpiresAt: fc.constantFrom(null, new Date(+NOW - 1), new Date(+NOW + 1)),
  managementAgent: fc.constantFrom('mdm', 'eas'),
  lastSyncDateTime: fc.constantFrom(null, new Date(+NOW - 1), NOW),
})
const level = fc.constantFrom<Decision['access'][]>('allow', 'block', 'quarantine')
const user: fc.Arbitrary<MailboxUser> = fc.oneof(
  fc.record({ found: fc.constantFrom<('none' | 'several')[]>('none', 'several') }),
  fc.record({
    found: fc.constant('one' as const),
    id: fc.constant('anna'),
    licensed: fc.boolean(),
    included: fc.boolean(),
    excluded: fc.boolean(),
  }),
)
const input: fc.Arbitrary<DecisionInput> = fc.record({
  policy: fc.record({
    enabled: fc.boolean(),
    overrideDefaultRule: fc.boolean(),
    unknownCompliance: fc.constantFrom<('compliant' | 'noncompliant')[]>('compliant', 'noncompliant'),
  }),
  now: fc.constant(NOW),
  user,
  device: fc.record({
    deviceId: fc.constantFrom('K6CKULJT', 'OTHER', ''),
    deviceType: fc.constantFrom('iPhone', 'Android'),
    deviceModel: fc.string(),
  }),
  managedDevices: fc.array(managedDevice, { maxLength: 6 }),
  adminExemption: fc.constantFrom<(undefined | 'allow' | 'block')[]>(undefined, 'allow', 'block'),
  organization: fc.record({
    defaultAccessLevel: level,
    platformExceptions: fc.array(
      fc.record({
        characteristic: fc.constantFrom<('DeviceType' | 'DeviceModel')[]>('DeviceType', 'DeviceModel'),
        queryString: fc.constantFrom('iPhone', 'Android'),
        accessLevel: level,
      }),
      { maxLength: 4 },
    ),
  }),
})

describe('the decision, whatever it is given', () => {
  it('never touches a device of a user who is excluded, untargeted, unlicensed or unknown', () => {
    fc.assert(
      fc.property(input, (given) => {
        const isTargeted = given.user.found === 'one' && given.user.included && !given.user.excluded && given.user.licensed
        return isTargeted || decide(given).exemption === 'none'
      }),
    )
  })

  it('never touches an administrator’s exemption', () => {
    fc.assert(
      fc.property(input, (given) => {
        if (given.adminExemption === undefined) return true
        const decision = decide(given)
        return decision.exemption === 'none' && decision.access === given.adminExemption
      }),
    )
  })

  it('does not depend on the order of its inputs', () => {
    fc.assert(
      fc.property(input, (given) => {
        const turned: DecisionInput = {
          ...given,
          managedDevices: given.managedDevices.toReversed(),
          organization: { ...given.organization, platformExceptions: given.organization.platformExceptions.toReversed() },
        }
        expect(decide(turned)).toEqual(decide(given))
      }),
    )
  })

  it('does not depend on the case of an id', () => {
    fc.assert(
      fc.property(input, (given) => {
        const lower = { ...given, device: { ...given.device, deviceId: given.device.deviceId.toLowerCase() } }
        expect(decide(lower)).toEqual(decide(given))
      }),
    )
  })

  it('wants the same entry with and without the devices of colleagues', () => {
    fc.assert(
      fc.property(input, (given) => {
        const own = { ...given, managedDevices: given.managedDevices.filter((one) => one.userId === 'anna') }
        expect(decide(own).exemption).toBe(decide(given).exemption)
      }),
    )
  })

  it('allows only what is enrolled for this user, bound, registered and acceptable', () => {
    fc.assert(
      fc.property(input, (given) => {
        if (decide(given).exemption !== 'allow') return true
        return given.managedDevices.some(
          (one) =>
            one.userId === 'anna' &&
            one.easDeviceId.trim().toLowerCase() === given.device.deviceId.toLowerCase() &&
            one.easActivated &&
            one.azureAdRegistered &&
            ['compliant', 'inGracePeriod', 'unknown'].includes(one.complianceState),
        )
      }),
    )
  })
})
