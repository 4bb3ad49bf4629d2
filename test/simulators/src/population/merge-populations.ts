import type { EntraGroup, Population } from './population.ts'
import { createSeededRandom } from './seeded-random.ts'

/**
 * What one Microsoft tenant knows of several Exchange organisations: their users, devices and groups. The policy names one group
 * of each sort, which holds the organisations' own: that is how a tenant targets many companies. There are no mailboxes in it; the
 * truths are those of the populations themselves, so a change at Microsoft moves what their Exchanges are judged by.
 */
export function mergePopulations(populations: readonly Population[]): Population {
  const [first] = populations
  if (first === undefined) throw new RangeError('populations: none')
  const random = createSeededRandom(first.seed ^ 0x6d67)
  const umbrella = (displayName: string, ids: (population: Population) => readonly string[]): EntraGroup => ({
    id: random.guid(),
    displayName,
    members: [...new Set(populations.flatMap(ids))].map((id) => ({ kind: 'group', id })),
  })
  const included = umbrella('Mobile mail users of all companies', ({ policy }) => policy.includedGroups)
  const excluded = umbrella('Mobile mail exemptions of all companies', ({ policy }) => policy.excludedGroups)
  return {
    seed: first.seed,
    organization: first.organization,
    mailboxes: [],
    users: populations.flatMap(({ users }) => users),
    groups: [included, excluded, ...populations.flatMap(({ groups }) => groups)],
    managedDevices: populations.flatMap(({ managedDevices }) => managedDevices),
    entraDevices: populations.flatMap(({ entraDevices }) => entraDevices),
    policy: { ...first.policy, includedGroups: [included.id], excludedGroups: [excluded.id] },
    truth: new Map(populations.flatMap(({ truth }) => [...truth])),
    traps: new Map(),
  }
}
