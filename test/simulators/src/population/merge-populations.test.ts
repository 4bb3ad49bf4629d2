import { describe, expect, it } from 'vitest'
import { createDirectory } from '../microsoft/directory.ts'
import { createPopulation } from './create-population.ts'
import { mergePopulations } from './merge-populations.ts'

const populations = ['fabrikam', 'litware'].map((organization, index) =>
  createPopulation({ devices: 60, seed: 3 + index, organization }),
)

describe('several organisations in one tenant', () => {
  it('knows the users, devices and truths of all, each once', () => {
    const merged = mergePopulations(populations)

    expect(new Set(merged.users.map(({ id }) => id)).size).toBe(populations.flatMap(({ users }) => users).length)
    expect(merged.managedDevices.length).toBe(populations.flatMap((one) => one.managedDevices).length)
    expect(merged.truth.size).toBe(120)
    expect(merged.users.some(({ userPrincipalName }) => userPrincipalName.toLowerCase().endsWith('litware.com'))).toBe(true)
  })

  it('targets just those whom the organisations target themselves', () => {
    const merged = mergePopulations(populations)
    const usersOf = (population: (typeof populations)[number], ids: readonly string[]) => {
      const directory = createDirectory(population)
      const members = ids.flatMap((id) => directory.readTransitiveMembers(directory.findGroup(id) ?? never(id)))
      return new Set(members.flatMap((member) => (member.kind === 'user' ? [member.user.id] : [])))
    }

    for (const groups of ['includedGroups', 'excludedGroups'] as const)
      expect(usersOf(merged, merged.policy[groups])).toEqual(
        new Set(populations.flatMap((one) => [...usersOf(one, one.policy[groups])])),
      )
  })
})

function never(id: string): never {
  throw new Error(`There is no group ${id}`)
}
