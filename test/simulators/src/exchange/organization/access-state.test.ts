import { describe, expect, it } from 'vitest'
import { createPopulation } from '../../population/create-population.ts'
import { type AccessSituation, accessVerdictOf } from './access-state.ts'

const [mailbox] = createPopulation({ devices: 30, seed: 3 }).mailboxes
const device = mailbox?.partnerships[0]
if (device === undefined) throw new Error('the population has no device')
const plain: AccessSituation = {
  device,
  activeSyncEnabled: true,
  allowed: [],
  blocked: [],
  rules: [],
  defaultAccessLevel: 'Quarantine',
  isInDiscovery: false,
}
const rule = (accessLevel: 'Allow' | 'Block' | 'Quarantine') => ({
  name: `${accessLevel} it`,
  characteristic: 'DeviceType',
  queryString: device.deviceType.toUpperCase(),
  accessLevel,
})

describe('accessVerdictOf', () => {
  it('answers the default of the organisation when nothing else speaks', () => {
    expect(accessVerdictOf(plain)).toEqual({ state: 'Quarantined', reason: 'Global', rule: null })
  })
  it('blocks whatever is in both lists', () => {
    const both = { ...plain, allowed: [device.deviceId], blocked: [device.deviceId] }

    expect(accessVerdictOf(both)).toMatchObject({ state: 'Blocked', reason: 'Individual' })
  })
  it('knows an id in other case and with spaces around it', () => {
    const allowed = [` ${device.deviceId.toLowerCase()} `]

    expect(accessVerdictOf({ ...plain, allowed, rules: [rule('Block')] })).toMatchObject({
      state: 'Allowed',
      reason: 'Individual',
    })
  })
  it('lets a blocking rule win over a quarantining one, and that over an allowing one', () => {
    expect(accessVerdictOf({ ...plain, rules: [rule('Allow'), rule('Quarantine'), rule('Block')] }).state).toBe('Blocked')
    expect(accessVerdictOf({ ...plain, rules: [rule('Allow'), rule('Quarantine')] }).state).toBe('Quarantined')
    expect(accessVerdictOf({ ...plain, rules: [rule('Allow')] })).toMatchObject({ reason: 'DeviceRule', rule: 'Allow it' })
  })
  it('blocks every device of a mailbox without ActiveSync', () => {
    expect(accessVerdictOf({ ...plain, activeSyncEnabled: false, allowed: [device.deviceId] }).state).toBe('Blocked')
  })
})
