import { PermanentError, RetryableError } from '@gatehouse/messages'
import { areHidden, DIRECTORY_USER_SELECT, parseDirectoryUser } from './directory-user.ts'
import type { DirectoryUser, GraphLog, ManagedDevice } from './graph.ts'
import { MANAGED_DEVICE_SELECT, parseManagedDevice } from './managed-device.ts'
import { addPage, type PageWalk } from './page-walk.ts'
import { type Page, readPage } from './read-page.ts'
import type { Call, Requester } from './requester.ts'

export const MANAGED_DEVICES_PERMISSION = 'DeviceManagementManagedDevices.Read.All'

/** No `$filter`: Intune ignores what it does not support and answers every row. No `$top`: its own page is the largest. */
export const MANAGED_DEVICES_PATH = `/v1.0/deviceManagement/managedDevices?$select=${MANAGED_DEVICE_SELECT}`

export function groupMembersPath(groupId: string): string {
  const group = encodeURIComponent(groupId)
  return `/v1.0/groups/${group}/transitiveMembers/microsoft.graph.user?$count=true&$top=999&$select=${DIRECTORY_USER_SELECT}`
}

export type ListDeps = { readonly request: Requester; readonly endpoint: URL; readonly log: GraphLog }

/** Reads managed devices from where the walk stands to its end. */
export async function readManagedDevicePages(
  walk: PageWalk<ManagedDevice>,
  deps: ListDeps,
  signal: AbortSignal,
): Promise<void> {
  const call = { permission: MANAGED_DEVICES_PERMISSION, workload: 'intune' } as const
  while (walk.next !== undefined) {
    const page = await requestPage({ ...call, path: walk.next }, walk, deps, signal)
    addPage(walk, { rows: page.rows.map(parseManagedDevice), next: page.next })
  }
}

/** Reads the members of a group from where the walk stands to its end. */
export async function readGroupMemberPages(
  walk: PageWalk<DirectoryUser>,
  groupId: string,
  deps: ListDeps,
  signal: AbortSignal,
): Promise<void> {
  const call: Omit<Call, 'path'> = {
    permission: 'GroupMember.Read.All',
    workload: 'entra',
    groupId,
    // Without it Graph refuses a list that is cast to users.
    headers: { consistencylevel: 'eventual' },
  }
  while (walk.next !== undefined) {
    const page = await requestPage({ ...call, path: walk.next }, walk, deps, signal)
    if (areHidden(page.rows)) {
      const message = 'Graph hides the members of groups: grant the application permission User.Read.All, with admin consent'
      throw new PermanentError('graph-permission-missing', message)
    }
    addPage(walk, { rows: page.rows.map(parseDirectoryUser), next: page.next })
  }
  if (walk.rejected > 0) deps.log.warn({ groupId, rejected: walk.rejected }, 'Graph gave members that cannot be read')
}

/** The tokens of links grow old. Then only a walk from the beginning can tell, which is not the request's fault. */
async function requestPage(call: Call, walk: PageWalk<unknown>, deps: ListDeps, signal: AbortSignal): Promise<Page> {
  try {
    return readPage(await deps.request(call, signal), deps.endpoint)
  } catch (error) {
    const isLater = walk.seen.size > 1
    const isStale = error instanceof PermanentError && STALE_CODES.has(error.code)
    if (!isLater || !isStale) throw error
    throw new RetryableError('graph-page-expired', 'The link to the next page has expired', { cause: error })
  }
}

const STALE_CODES = new Set(['graph-request-refused', 'graph-delta-expired'])
