import { describe, expect, it } from 'vitest'
import { createPopulation } from '../population/create-population.ts'
import { filterManagedDevices } from './managed-device-filter.ts'

const { managedDevices: rows } = createPopulation({ devices: 60, seed: 5 })
const [one, two] = rows as [(typeof rows)[number], (typeof rows)[number]]

describe('filterManagedDevices', () => {
  it('honours the comparisons the schema names', () => {
    const byName = filterManagedDevices(rows, `userPrincipalName eq '${one.userPrincipalName.toUpperCase()}'`)
    const byState = filterManagedDevices(rows, "complianceState eq 'noncompliant' or complianceState eq 'error'")
    const both = filterManagedDevices(
      rows,
      `(deviceName eq '${one.deviceName.replaceAll("'", "''")}') and operatingSystem eq '${one.operatingSystem}'`,
    )

    expect(byName.rows.every((row) => row.userId === one.userId)).toBe(true)
    expect(byName.rows).toContain(one)
    expect(new Set(byState.rows.map((row) => row.complianceState))).toEqual(new Set(['noncompliant', 'error']))
    expect(both.rows).toContain(one)
    expect(both.isIgnored).toBe(false)
  })

  it('takes no notice of a filter that is not supported and returns every row', () => {
    for (const filter of [
      `easDeviceId eq '${one.easDeviceId}'`,
      `userId eq '${one.userId}'`,
      `complianceState eq 'compliant' and easDeviceId eq '${one.easDeviceId}'`,
      `userPrincipalName eq 'a' or complianceState eq 'compliant'`,
      `startswith(deviceName,'a')`,
      'nonsense',
    ]) {
      expect(filterManagedDevices(rows, filter), filter).toEqual({ rows, isIgnored: true })
    }
  })

  it('finds only the first of several Entra device ids', () => {
    const filter = `azureADDeviceId eq '${one.azureADDeviceId}' or azureADDeviceId eq '${two.azureADDeviceId}'`

    expect(filterManagedDevices(rows, filter).rows).toEqual(rows.filter((row) => row.azureADDeviceId === one.azureADDeviceId))
  })

  it('reads a doubled quotation mark as one, and a keyword within quotes as text', () => {
    expect(filterManagedDevices(rows, "deviceName eq 'a'' and b or c'")).toEqual({ rows: [], isIgnored: false })
  })
})
