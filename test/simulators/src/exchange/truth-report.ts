import type { Population } from '../population/population.ts'
import { holdsDeviceId } from './organization/device-id.ts'
import type { Device, Organization } from './organization/organization.ts'

export type WrongDevice = {
  device: string
  deviceId: string
  mailbox: string
  why: string
  expected: { access: string; list: string }
  actual: { access: string; list: string }
}

const SAMPLES_MAX = 20
const ACCESS = { Allowed: 'allow', Blocked: 'block', Quarantined: 'quarantine', DeviceDiscovery: 'discovery' } as const

/** Devices that do not stand where the population's truth says they must in the end. */
export function findWrongDevices(organization: Organization, population: Population) {
  const samples: WrongDevice[] = []
  let count = 0
  for (const device of organization.devices) {
    const expected = population.truth.get(device.source.guid)
    if (expected === undefined) continue
    const actual = standingOf(device, organization)
    if (actual.list === expected.list && actual.access === expected.access) continue
    count += 1
    if (samples.length >= SAMPLES_MAX) continue
    samples.push({
      device: device.source.guid,
      deviceId: device.source.deviceId,
      mailbox: device.mailbox.source.guid,
      why: expected.why,
      expected: { access: expected.access, list: expected.list },
      actual,
    })
  }
  return { count, samples }
}

/** How many mailboxes cannot keep the lists they began with: the least number of writes. */
export function countWritesLeast(population: Population): number {
  return population.mailboxes.filter((mailbox) =>
    mailbox.partnerships.some((partnership) => {
      const expected = population.truth.get(partnership.guid)
      const list = listOf(partnership.deviceId, mailbox.initialAllowedDeviceIds, mailbox.initialBlockedDeviceIds)
      return expected !== undefined && expected.list !== list
    }),
  ).length
}

/** As if ActiveSync were on: whether it is, is the mailbox administrator's business and no part of the truth. */
function standingOf(device: Device, organization: Organization): { access: string; list: string } {
  const { allowed, blocked } = device.mailbox
  return {
    access: ACCESS[organization.settledVerdictOf(device).state],
    list: listOf(device.source.deviceId, allowed, blocked),
  }
}

function listOf(deviceId: string, allowed: readonly string[], blocked: readonly string[]): 'allow' | 'block' | 'both' | 'none' {
  const isAllowed = holdsDeviceId(allowed, deviceId)
  const isBlocked = holdsDeviceId(blocked, deviceId)
  if (isAllowed && isBlocked) return 'both'
  if (isAllowed) return 'allow'
  return isBlocked ? 'block' : 'none'
}
