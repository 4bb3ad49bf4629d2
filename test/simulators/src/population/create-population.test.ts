import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { judgeDevice } from '../microsoft/change-population.ts'
import { createPopulation } from './create-population.ts'
import { deviceCases } from './device-case.ts'
import { escapeRdn } from './invent-mailbox.ts'
import { mailboxKinds } from './mailbox-kind.ts'
import type { Population, PopulationMailbox } from './population.ts'

const sizes = fc.record({ devices: fc.integer({ min: 30, max: 120 }), seed: fc.integer() })

function normalize(id: string): string {
  return id.trim().toLowerCase()
}

function needsWrite(population: Population, mailbox: PopulationMailbox): boolean {
  const holds = (list: string[], id: string) => list.some((entry) => normalize(entry) === normalize(id))
  return mailbox.partnerships.some((partnership) => {
    const list = population.truth.get(partnership.guid)?.list
    return (
      holds(mailbox.initialAllowedDeviceIds, partnership.deviceId) !== (list === 'allow') ||
      holds(mailbox.initialBlockedDeviceIds, partnership.deviceId) !== (list === 'block')
    )
  })
}

describe('createPopulation', () => {
  it('makes the same population of the same seed, and another of another', () => {
    fc.assert(
      fc.property(sizes, (size) => {
        const first = createPopulation(size)

        expect(createPopulation(size)).toEqual(first)
        expect(createPopulation({ ...size, seed: size.seed + 1 }).mailboxes[0]?.guid).not.toBe(first.mailboxes[0]?.guid)
      }),
      { numRuns: 10 },
    )
  })

  it('makes exactly as many devices as asked, one to four per mailbox', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 200 }), fc.integer(), (devices, seed) => {
        const population = createPopulation({ devices, seed })
        const counts = population.mailboxes.map((mailbox) => mailbox.partnerships.length)

        expect(counts.reduce((sum, count) => sum + count, 0)).toBe(devices)
        expect(Math.min(...counts)).toBeGreaterThanOrEqual(1)
        expect(Math.max(...counts)).toBeLessThanOrEqual(4)
        expect(population.truth.size).toBe(devices)
      }),
      { numRuns: 30 },
    )
  })

  it('builds in every trap from thirty devices on', () => {
    const wanted = [
      ...Object.values(deviceCases).map((one) => `device-${one.why}`),
      ...Object.values(mailboxKinds).map((one) => `mailbox-${one.why}`),
      'mailbox-user-excluded-only',
      'hostile-mailbox-name',
      'hostile-device-text',
      'matched-by-mail',
      'upn-other-case',
      'nested-group',
      'activesync-disabled',
      'old-allowed-entry',
      'old-blocked-entry',
      'windows-pc-without-eas',
      'phone-without-eas-id',
      'phone-without-partnership',
      'mixed-states',
      'administrators-entry-beside-others',
      'same-model-as-another',
    ]
    fc.assert(
      fc.property(sizes, (size) => {
        const { traps } = createPopulation(size)

        expect(wanted.filter((trap) => (traps.get(trap) ?? []).length === 0)).toEqual([])
      }),
      { numRuns: 30 },
    )
  })

  it('writes a truth for targeted devices that a second judge, who sees only the Intune row, agrees with', () => {
    fc.assert(
      fc.property(sizes, (size) => {
        const population = createPopulation(size)
        const rows = new Map(population.managedDevices.map((row) => [row.id, row]))
        for (const truth of population.truth.values()) {
          if (truth.settledBy !== 'device') continue
          const row = truth.managedDeviceId === null ? undefined : rows.get(truth.managedDeviceId)

          expect(judgeDevice(row)).toMatchObject({ access: truth.access, list: truth.list })
        }
      }),
      { numRuns: 20 },
    )
  })

  it("never lets a colleague's enrolled device speak for somebody else's partnership", () => {
    const population = createPopulation({ devices: 3000, seed: 11 })
    const owners = Map.groupBy(population.managedDevices, (row) => normalize(row.easDeviceId))
    const guids = new Set(population.traps.get('device-colleagues-device'))
    const trapped = population.mailboxes.flatMap((mailbox) =>
      mailbox.partnerships
        .filter((partnership) => guids.has(partnership.guid))
        .map((partnership) => ({ mailbox, partnership })),
    )

    expect(trapped.length).toBeGreaterThan(5)
    for (const { mailbox, partnership } of trapped) {
      const rows = owners.get(normalize(partnership.deviceId)) ?? []
      expect(rows.length).toBeGreaterThan(0)
      expect(rows.every((row) => row.userId !== mailbox.userId && row.complianceState === 'compliant')).toBe(true)
    }
  })

  it('has the size and the mixture a tenant of 5,000 devices has', () => {
    const population = createPopulation({ devices: 5000, seed: 7 })
    const writes = population.mailboxes.filter((mailbox) => needsWrite(population, mailbox)).length
    const truths = [...population.truth.values()]
    const share = (access: string) => truths.filter((truth) => truth.access === access).length / truths.length

    expect(population.mailboxes.length).toBeGreaterThan(3700)
    expect(population.mailboxes.length).toBeLessThan(3850)
    expect(writes).toBeGreaterThanOrEqual(2600)
    expect(share('allow')).toBeGreaterThan(0.75)
    expect(share('block')).toBeGreaterThan(0.1)
    expect(share('block')).toBeLessThan(0.2)
    expect(share('quarantine')).toBeGreaterThan(0.02)
    expect(population.managedDevices.length).toBeGreaterThan(5000)
  })

  it('keeps names, addresses and ids apart', () => {
    const { mailboxes, users, managedDevices } = createPopulation({ devices: 5000, seed: 3 })
    const distinct = (values: string[]) => new Set(values.map((value) => value.toLowerCase())).size

    expect(distinct(mailboxes.map((mailbox) => mailbox.primarySmtpAddress))).toBe(mailboxes.length)
    expect(distinct(mailboxes.map((mailbox) => mailbox.distinguishedName))).toBe(mailboxes.length)
    expect(distinct(mailboxes.map((mailbox) => mailbox.guid))).toBe(mailboxes.length)
    expect(distinct(mailboxes.map((mailbox) => mailbox.samAccountName))).toBe(mailboxes.length)
    expect(distinct(users.map((user) => user.userPrincipalName))).toBe(users.length)
    expect(distinct(managedDevices.map((row) => row.id))).toBe(managedDevices.length)
    for (const { name } of mailboxes) expect(name.length).toBeLessThanOrEqual(64)
  })

  it('holds no lone surrogate anywhere', () => {
    const population = createPopulation({ devices: 500, seed: 3 })

    expect(JSON.stringify(population).isWellFormed()).toBe(true)
    for (const { partnerships } of population.mailboxes) {
      for (const partnership of partnerships) expect(Object.values(partnership).join('').isWellFormed()).toBe(true)
    }
  })

  it('refuses a count that is no count', () => {
    expect(() => createPopulation({ devices: 0, seed: 1 })).toThrow(RangeError)
    expect(() => createPopulation({ devices: 1.5, seed: 1 })).toThrow(RangeError)
  })
})

describe('escapeRdn', () => {
  it('escapes what RFC 4514 names', () => {
    expect(escapeRdn('Dupont, "M" + <x>;#=\\')).toBe('Dupont\\, \\"M\\" \\+ \\<x\\>\\;#\\=\\\\')
    expect(escapeRdn(' #a ')).toBe('\\ #a\\ ')
    expect(escapeRdn('#a\nb')).toBe('\\#a\\0Ab')
  })
})
