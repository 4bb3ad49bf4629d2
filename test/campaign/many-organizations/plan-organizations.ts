import type { ServedOrganization } from '@gatehouse/simulators'

/** Below this a population does not hold every trap. */
const DEVICES_MIN = 30

/** Organisations of very different sizes, the largest first: the n-th has the n-th part of what the first has (Zipf), all together `devices`. */
export function planOrganizations(o: { organizations: number; devices: number; seed: number }): ServedOrganization[] {
  if (o.devices < o.organizations * DEVICES_MIN) throw new RangeError(`At least ${DEVICES_MIN} devices for each organisation`)
  const shares = Array.from({ length: o.organizations }, (_, index) => 1 / (index + 1))
  const total = shares.reduce((sum, share) => sum + share, 0)
  const free = o.devices - o.organizations * DEVICES_MIN
  const sizes = shares.map((share) => DEVICES_MIN + Math.floor((free * share) / total))
  const rest = o.devices - sizes.reduce((sum, size) => sum + size, 0)
  return sizes.map((size, index) => ({
    name: `company${String(index + 1).padStart(3, '0')}`,
    devices: index === 0 ? size + rest : size,
    seed: o.seed + index,
  }))
}

/** So many groups whose devices are about as many, for a process each. */
export function shareOut(organizations: readonly ServedOrganization[], groups: number): ServedOrganization[][] {
  const shares = Array.from({ length: groups }, (): ServedOrganization[] => [])
  const sizeOf = (share: readonly ServedOrganization[]) => share.reduce((sum, { devices }) => sum + devices, 0)
  for (const one of organizations.toSorted((a, b) => b.devices - a.devices))
    shares.reduce((least, share) => (sizeOf(share) < sizeOf(least) ? share : least)).push(one)
  return shares.filter((share) => share.length > 0)
}
