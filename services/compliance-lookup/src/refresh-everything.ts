import { RetryableError } from '@gatehouse/messages'
import {
  analyzeTables,
  completeRefresh,
  readDatabaseClock,
  readGraphCursor,
  readPolicy,
  refreshedGroups,
  replaceDirectory,
  storeManagedDevices,
} from '@gatehouse/store'
import type { ComplianceLookupDeps } from './compliance-lookup-deps.ts'
import { findShrunkAnswer } from './find-shrunk-answer.ts'
import { observedManagedDeviceOf } from './observed-managed-device.ts'
import { type Directory, readDirectory } from './read-directory.ts'

/**
 * Reads everything that decisions need from Graph, then stores it; nothing is stored when an answer cannot be believed. `feed`: a
 * refresh decides the mailboxes of its own organisation only, so a change feed that is under way has more to tell the others and goes
 * on where it stopped; one that has expired begins anew.
 * @throws RetryableError `graph-answer-shrunk`, and whatever `libs/graph` throws.
 */
export async function refreshEverything(
  { syncRunId, feed }: { syncRunId: string; feed: 'goes-on' | 'begins-anew' },
  deps: ComplianceLookupDeps,
  signal: AbortSignal,
): Promise<Record<string, number>> {
  const [began, policy, last, cursor] = await Promise.all([
    readDatabaseClock(deps.pool),
    readPolicy(deps.db),
    readGraphCursor(deps.pool, 'refresh'),
    readGraphCursor(deps.pool, 'devices-delta'),
  ])
  const begins = feed === 'begins-anew' || cursor === undefined
  const groupIds = [...(policy?.included_groups ?? []), ...(policy?.excluded_groups ?? [])]
  // The change feed begins before the read, so that nothing falls between the two.
  const [deltaLink, { devices, rejected }, directory] = await Promise.all([
    begins ? deps.graph.startDevicesDelta(signal) : undefined,
    deps.graph.readManagedDevices(syncRunId, signal),
    readDirectory(deps.graph, syncRunId, groupIds, signal),
  ])
  const counts = { managedDevices: devices.length, users: directory.users.length }
  const sameGroups = last?.value === refreshedGroups(groupIds)
  const comparable = { ...(sameGroups ? counts : { managedDevices: counts.managedDevices }), ...membersOf(directory) }
  const shrunk = findShrunkAnswer(last?.counts ?? {}, comparable, deps.shrinkPercentMax)
  if (shrunk !== undefined)
    throw new RetryableError('graph-answer-shrunk', `${shrunk}; nothing was stored and the last decisions stand`)
  if (rejected > 0) deps.log.warn({ rejected }, 'Graph gave managed devices that are not what it promises')
  await Promise.all([
    storeManagedDevices(deps.pool, { refreshedAt: began, devices: devices.map(observedManagedDeviceOf) }),
    replaceDirectory(deps.pool, { refreshedAt: began, ...directory }),
  ])
  await analyzeTables(deps.pool, ['managed_devices', 'directory_users', 'group_members'])
  await completeRefresh(deps.pool, { syncRunId, began, groupIds, counts: { ...counts, ...membersOf(directory) }, deltaLink })
  return counts
}

/** Members by group: a group that has lost its members shows even where others have many. */
function membersOf({ groups }: Directory): Record<string, number> {
  return Object.fromEntries(groups.map(({ groupId, userIds }) => [`members of ${groupId}`, userIds.length]))
}
