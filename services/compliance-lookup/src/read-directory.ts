import type { DirectoryUser, Graph } from '@gatehouse/graph'
import type { ObservedGroup, ObservedUser } from '@gatehouse/store'

export type Directory = { readonly users: ObservedUser[]; readonly groups: ObservedGroup[] }

/** The members of the policy's groups, each group once. `walk` lets a read that was throttled go on where it stopped. */
export async function readDirectory(
  graph: Pick<Graph, 'readGroupMembers'>,
  walk: string,
  groupIds: readonly string[],
  signal: AbortSignal,
): Promise<Directory> {
  const distinct = [...new Set(groupIds)]
  const members = await Promise.all(distinct.map((groupId) => graph.readGroupMembers(walk, groupId, signal)))
  const users = new Map(members.flat().map((user) => [user.id, observedUserOf(user)]))
  const groups = distinct.map((groupId, index) => ({ groupId, userIds: (members[index] ?? []).map((user) => user.id) }))
  return { users: [...users.values()], groups }
}

function observedUserOf(user: DirectoryUser): ObservedUser {
  return {
    id: user.id,
    user_principal_name: user.userPrincipalName,
    mail: user.mail,
    licensed: user.licensed,
    preferred_language: user.preferredLanguage,
  }
}
