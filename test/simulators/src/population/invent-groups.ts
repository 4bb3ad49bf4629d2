import type { EntraGroup, PopulationPolicy } from './population.ts'
import type { SeededRandom } from './seeded-random.ts'

export type Groups = ReturnType<typeof inventGroups>

/** Two included groups that overlap, one of them three levels deep, and an excluded one with a group inside. */
export function inventGroups(random: SeededRandom) {
  const create = (displayName: string): EntraGroup => ({ id: random.guid(), displayName, members: [] })
  const mobileUsers = create('Mobile mail users')
  const sales = create('Sales')
  const salesFrance = create('Sales France')
  const contractors = create('Contractors')
  const exempt = create('Mobile mail exemptions')
  const board = create('Board')
  mobileUsers.members.push({ kind: 'group', id: sales.id })
  sales.members.push({ kind: 'group', id: salesFrance.id })
  exempt.members.push({ kind: 'group', id: board.id })
  const policy: PopulationPolicy = {
    enabled: true,
    includedGroups: [mobileUsers.id, contractors.id],
    excludedGroups: [exempt.id],
    overrideDefaultRule: true,
    unknownCompliance: 'noncompliant',
  }

  return {
    policy,
    all: [mobileUsers, sales, salesFrance, contractors, exempt, board],
    /** Answers whether the way in is through a group within a group. */
    include(userId: string, way: 'direct' | 'nested' | 'deep' | 'other' | 'twice'): boolean {
      const member = { kind: 'user' as const, id: userId }
      if (way === 'other') contractors.members.push(member)
      else if (way === 'nested') sales.members.push(member)
      else if (way === 'deep') salesFrance.members.push(member)
      else mobileUsers.members.push(member)
      if (way === 'twice') contractors.members.push(member)
      return way === 'nested' || way === 'deep'
    },
    exclude(userId: string, isNested: boolean): void {
      ;(isNested ? board : exempt).members.push({ kind: 'user', id: userId })
    },
    includeDevice(entraDeviceId: string): void {
      mobileUsers.members.push({ kind: 'device', id: entraDeviceId })
    },
  }
}
