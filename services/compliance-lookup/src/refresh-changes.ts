import {
  countMissingOfUsers,
  readDatabaseClock,
  readGraphCursor,
  readMailboxesOfUsers,
  readUsersOfDevices,
  readWaitingUsers,
  storeGraphCursor,
  storeManagedDevices,
} from '@gatehouse/store'
import type { ComplianceLookupDeps } from './compliance-lookup-deps.ts'
import { observedManagedDeviceOf } from './observed-managed-device.ts'

export type ChangedMailboxes = {
  readonly counts: Record<string, number>
  /** When the reading began. */
  readonly began: Date
  readonly mailboxes: { organizationId: string; mailboxId: string }[]
  /** Where the next change feed begins; to be stored once the mailboxes are published. */
  readonly deltaLink: string
}

/** Ten batches: users who have enrolled and are about to bind their mail are few at any time. */
const WAITING_MAX = 200

/**
 * What changed at Microsoft since the last look: the Entra devices of the change feed, then the managed devices of just their
 * users and of those who wait to be let in. Undefined when only a full refresh can tell: there was none yet, or the feed has expired.
 */
export async function refreshChanges(deps: ComplianceLookupDeps, signal: AbortSignal): Promise<ChangedMailboxes | undefined> {
  const [cursor, refresh] = await Promise.all([
    readGraphCursor(deps.pool, 'devices-delta'),
    readGraphCursor(deps.pool, 'refresh'),
  ])
  if (cursor === undefined || refresh === undefined) return undefined
  const began = await readDatabaseClock(deps.pool)
  const delta = await deps.graph.readDevicesDelta(cursor.value, signal)
  if (delta.expired === true) return undefined
  const counts = { changedDevices: delta.azureADDeviceIds.length }
  const [known, waiting] = await Promise.all([
    readUsersOfDevices(deps.pool, delta.azureADDeviceIds),
    readWaitingUsers(deps.pool, WAITING_MAX),
  ])
  const asked = delta.azureADDeviceIds.length === 0 ? [] : await deps.graph.readUsersOfDevices(delta.azureADDeviceIds, signal)
  const userIds = [...new Set([...known, ...asked, ...waiting])]
  if (userIds.length === 0) return { counts, began, mailboxes: [], deltaLink: delta.deltaLink }
  const { devices, complete } = await deps.graph.readManagedDevicesOfUsers(userIds, signal)
  await storeManagedDevices(deps.pool, { refreshedAt: began, devices: devices.map(observedManagedDeviceOf) })
  await countMissingOfUsers(deps.pool, { userIds: complete, refreshedAt: began })
  const mailboxes = await readMailboxesOfUsers(deps.pool, userIds)
  return {
    counts: { ...counts, changedUsers: userIds.length, changedMailboxes: mailboxes.length },
    began,
    mailboxes,
    deltaLink: delta.deltaLink,
  }
}

/** The change feed goes on from here. */
export function storeDeltaLink(
  deps: ComplianceLookupDeps,
  { deltaLink, began }: ChangedMailboxes,
  syncRunId: string,
): Promise<void> {
  return storeGraphCursor(deps.pool, { name: 'devices-delta', value: deltaLink, syncRunId, began, counts: {} })
}
