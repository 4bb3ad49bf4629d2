import { describe, expect, it } from 'vitest'
import type { ExchangeValue } from '../organization/exchange-object.ts'
import { parseOpathFilter } from './opath-filter.ts'

const names = ['DeviceAccessState', 'DeviceType', 'HasActiveSyncDevicePartnership', 'FriendlyName']
const device = new Map<string, ExchangeValue>([
  ['deviceaccessstate', 'Quarantined'],
  ['devicetype', 'iPhone'],
  ['hasactivesyncdevicepartnership', true],
  ['friendlyname', null],
])

describe('parseOpathFilter', () => {
  it.each([
    ["DeviceAccessState -eq 'quarantined'", true],
    ['{HasActiveSyncDevicePartnership -eq $true}', true],
    ["DeviceType -ne 'iPhone'", false],
    ["DeviceType -like 'iP*' -and (DeviceAccessState -eq 'Allowed' -or FriendlyName -eq $null)", true],
    ["-not (DeviceType -eq 'iPhone')", false],
    ["not DeviceType -eq 'x'", 'throws'],
    ["DeviceType -eq 'it''s'", false],
  ])('reads %s', (text, expected) => {
    if (expected === 'throws') expect(() => parseOpathFilter(text, names)).toThrow('recognized filterable property')
    else expect(parseOpathFilter(text, names)(device)).toBe(expected)
  })
  it('refuses a property that may not be filtered on, as WhenChanged on devices', () => {
    expect(() => parseOpathFilter("WhenChanged -gt '2026-01-01'", names)).toThrow(
      '"WhenChanged" is not a recognized filterable property',
    )
  })
})
