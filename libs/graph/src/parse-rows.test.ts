import { expect, it } from 'vitest'
import { areHidden, parseDirectoryUser } from './directory-user.ts'
import { parseManagedDevice } from './managed-device.ts'

it('reads a managed device', () => {
  const row = {
    '@odata.type': '#microsoft.graph.managedDevice',
    id: 'd1',
    userId: 'u1',
    easActivated: true,
    azureADRegistered: null,
    complianceState: 'inGracePeriod',
    complianceGracePeriodExpirationDateTime: '2026-12-01T08:00:00Z',
    deviceName: `Anna\u0000's \ud800 ${'x'.repeat(1_000)}`,
    model: null,
    unknownProperty: {},
  }

  const device = parseManagedDevice(row)

  expect(device).toMatchObject({ id: 'd1', userId: 'u1', userPrincipalName: '', model: '', easDeviceId: '' })
  expect(device).toMatchObject({ easActivated: true, azureADRegistered: false })
  expect(device?.complianceGracePeriodExpirationDateTime).toEqual(new Date('2026-12-01T08:00:00Z'))
  expect(device?.deviceName).toMatch(/^Anna\u{FFFD}'s \u{FFFD} x+$/u)
  expect(device?.deviceName).toHaveLength(512)
})

it.each(['0001-01-01T00:00:00Z', '9999-12-31T23:59:59Z', null, undefined, 'soon', 7])(
  'takes a grace period until %s for none',
  (value) => {
    expect(parseManagedDevice({ id: 'd1', complianceGracePeriodExpirationDateTime: value })).toMatchObject({
      complianceGracePeriodExpirationDateTime: null,
    })
  },
)

it.each([
  null,
  'x',
  [],
  {},
  { id: '' },
  { id: 7 },
  { id: 'd', easActivated: 'true' },
  { id: 'd', userId: {} },
  { id: 'x'.repeat(2_000) },
])('rejects %j', (row) => {
  expect(parseManagedDevice(row)).toBeUndefined()
})

const plan = 'C1EC4A95-1F05-45B3-A911-AA3FA01094F5'
it.each([
  ['by the id of the plan', [{ servicePlanId: plan, capabilityStatus: 'Enabled' }], true],
  ['by the service', [{}, null, { service: 'SCO', capabilityStatus: 'Enabled' }], true],
  ['not by a plan taken away', [{ servicePlanId: plan, service: 'SCO', capabilityStatus: 'Deleted' }], false],
  ['not by other plans', [{ servicePlanId: 'x', service: 'exchange', capabilityStatus: 'Enabled' }], false],
  ['not by nothing', null, false],
])('knows a licensed user %s', (_, assignedPlans, licensed) => {
  const user = parseDirectoryUser({ id: 'u1', userPrincipalName: 'a@b', mail: null, preferredLanguage: 'fr-FR', assignedPlans })

  expect(user).toEqual({ id: 'u1', userPrincipalName: 'a@b', mail: '', licensed, preferredLanguage: 'fr-FR' })
})

it('knows members that Graph hides', () => {
  expect(areHidden([{ id: 'u1', userPrincipalName: null }])).toBe(true)
  expect(
    areHidden([
      { id: 'u1', userPrincipalName: null },
      { id: 'u2', userPrincipalName: 'a@b' },
    ]),
  ).toBe(false)
  expect(areHidden([])).toBe(false)
})
