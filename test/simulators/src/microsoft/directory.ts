import type { EntraDevice, EntraGroup, EntraUser, ManagedDeviceRow, Population } from '../population/population.ts'

export type Member =
  | { kind: 'user'; user: EntraUser }
  | { kind: 'group'; group: EntraGroup }
  | { kind: 'device'; device: EntraDevice }
export type Directory = ReturnType<typeof createDirectory>

/** Look-ups over the Microsoft half of a population. Call `forget` after changing it. */
export function createDirectory(population: Population) {
  const users = new Map(population.users.map((user) => [user.id, user]))
  const usersByName = new Map(population.users.map((user) => [user.userPrincipalName.toLowerCase(), user]))
  const groups = new Map(population.groups.map((group) => [group.id, group]))
  const devices = new Map(population.entraDevices.map((device) => [device.id, device]))
  let rowsByUser: Map<string, ManagedDeviceRow[]> | undefined
  let transitive = new Map<string, Member[]>()

  function toMember({ kind, id }: EntraGroup['members'][number]): Member | undefined {
    if (kind === 'user') return users.has(id) ? { kind, user: users.get(id) as EntraUser } : undefined
    if (kind === 'group') return groups.has(id) ? { kind, group: groups.get(id) as EntraGroup } : undefined
    return devices.has(id) ? { kind, device: devices.get(id) as EntraDevice } : undefined
  }

  return {
    population,
    findGroup: (id: string) => groups.get(id.toLowerCase()),
    findUser: (idOrName: string) => users.get(idOrName.toLowerCase()) ?? usersByName.get(idOrName.toLowerCase()),
    readMembers: (group: EntraGroup) => group.members.map(toMember).filter((member) => member !== undefined),
    readManagedDevices(userId: string): ManagedDeviceRow[] {
      rowsByUser ??= Map.groupBy(population.managedDevices, (row) => row.userId)
      return rowsByUser.get(userId) ?? []
    },
    /** Everyone and everything in the group and the groups within, each once. */
    readTransitiveMembers(group: EntraGroup): Member[] {
      const known = transitive.get(group.id)
      if (known !== undefined) return known
      const found = new Map<string, Member>()
      const open = [group]
      for (const current of open) {
        for (const reference of current.members) {
          if (found.has(reference.id)) continue
          const member = toMember(reference)
          if (member === undefined) continue
          found.set(reference.id, member)
          if (member.kind === 'group') open.push(member.group)
        }
      }
      const members = [...found.values()]
      transitive.set(group.id, members)
      return members
    },
    forget(): void {
      rowsByUser = undefined
      transitive = new Map()
    },
  }
}
