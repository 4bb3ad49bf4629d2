import { askInBatches } from './ask-in-batches.ts'
import type { DeltaRound } from './delta-round.ts'
import type { GraphLog, ManagedDevice } from './graph.ts'
import { MANAGED_DEVICE_SELECT, parseManagedDevice } from './managed-device.ts'
import { addPage, createPageWalk } from './page-walk.ts'
import { type ListDeps, MANAGED_DEVICES_PERMISSION, readManagedDevicePages } from './read-lists.ts'
import { readPage } from './read-page.ts'
import { isRow, readId } from './read-row.ts'
import type { GraphCounts } from './requester.ts'
import type { ThrottleGate } from './throttle-gate.ts'

export type BatchDeps = ListDeps & { readonly gate: ThrottleGate; readonly counts: GraphCounts }

const CALL = { permission: MANAGED_DEVICES_PERMISSION, workload: 'intune' } as const
const GUID = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i

/** Managed devices of users; a user whose answer held a row that cannot be read is not complete. */
export async function readManagedDevicesOfUsers(
  userIds: readonly string[],
  kept: Pick<DeltaRound, 'devicesOfUser'>,
  deps: BatchDeps,
  signal: AbortSignal,
): Promise<{ devices: ManagedDevice[]; complete: string[] }> {
  const wanted = new Map(userIds.filter((id) => id !== '').map((id) => [id.toLowerCase(), id]))
  const incomplete = new Set<string>()
  const items = [...wanted]
    .filter(([key]) => !kept.devicesOfUser.has(key))
    .map(([key, id]) => ({ key, url: `/users/${encodeURIComponent(id)}/managedDevices?$select=${MANAGED_DEVICE_SELECT}` }))

  async function take(key: string, body: unknown): Promise<void> {
    const walk = createPageWalk<ManagedDevice>(key, 0)
    walk.next = undefined
    if (body !== undefined) {
      const page = readPage(body, deps.endpoint)
      addPage(walk, { rows: page.rows.map(parseManagedDevice), next: page.next })
      await readManagedDevicePages(walk, deps, signal)
    }
    if (walk.rejected > 0) {
      incomplete.add(key)
      deps.log.warn({ userId: key, rejected: walk.rejected }, 'Graph gave managed devices of a user that cannot be read')
    }
    kept.devicesOfUser.set(key, [...walk.rows.values()])
  }

  await askInBatches(items, { ...CALL, take }, deps, signal)
  return {
    devices: [...wanted.keys()].flatMap((key) => kept.devicesOfUser.get(key) ?? []),
    complete: [...wanted].filter(([key]) => !incomplete.has(key)).map(([, id]) => id),
  }
}

/** Ids of the users who own managed devices with these Entra device ids. */
export async function readUsersOfDevices(
  azureADDeviceIds: readonly string[],
  kept: Pick<DeltaRound, 'usersOfDevice'>,
  deps: BatchDeps,
  signal: AbortSignal,
): Promise<string[]> {
  const wanted = keysOf(azureADDeviceIds, deps.log)
  const items = [...wanted]
    .filter((key) => !kept.usersOfDevice.has(key))
    .map((key) => ({
      key,
      // One at a time: of several joined by `or`, Intune finds only the first.
      url: `/deviceManagement/managedDevices?$filter=azureADDeviceId%20eq%20'${key}'&$select=id,userId,azureADDeviceId`,
    }))
  const everything = createOwners(wanted)

  async function take(key: string, body: unknown): Promise<void> {
    if (everything.isComplete) return
    const owners = createOwners([key])
    const walk = createPageWalk<{ id: string }>(key, 0)
    for (let answer = body; answer !== undefined; ) {
      const page = readPage(answer, deps.endpoint)
      for (const row of page.rows) {
        everything.add(row)
        if (!owners.add(row)) everything.isIgnored = true
      }
      addPage(walk, { rows: [], next: page.next })
      answer = page.next === undefined ? undefined : await deps.request({ ...CALL, path: page.next }, signal)
    }
    kept.usersOfDevice.set(key, owners.of(key))
    if (!everything.isIgnored) return
    // The filter was ignored, so this answer held every device there is.
    deps.log.warn({}, 'Graph ignored a filter')
    everything.isComplete = true
    for (const other of wanted) kept.usersOfDevice.set(other, everything.of(other))
  }

  await askInBatches(items, { ...CALL, take }, deps, signal)
  return [...new Set([...wanted].flatMap((key) => kept.usersOfDevice.get(key) ?? []))]
}

/** Who owns which of these devices, as far as the rows shown tell. */
function createOwners(keys: Iterable<string>) {
  const owners = new Map([...keys].map((key) => [key, new Set<string>()]))
  return {
    isIgnored: false,
    isComplete: false,
    /** False when the row is of none of these devices. */
    add(row: unknown): boolean {
      if (!isRow(row)) return true
      const found = owners.get(readId(row['azureADDeviceId'])?.toLowerCase() ?? '')
      const userId = readId(row['userId'])
      if (found !== undefined && userId) found.add(userId)
      return found !== undefined
    },
    of: (key: string) => [...(owners.get(key) ?? [])],
  }
}

function keysOf(azureADDeviceIds: readonly string[], log: GraphLog): Set<string> {
  const keys = new Set<string>()
  for (const id of azureADDeviceIds) {
    if (GUID.test(id)) keys.add(id.toLowerCase())
    else log.warn({ azureADDeviceId: id.slice(0, 100) }, 'Not the id of an Entra device')
  }
  return keys
}
