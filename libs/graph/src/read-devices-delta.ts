import { PermanentError } from '@gatehouse/messages'
import { unreadableAnswer } from './classify.ts'
import type { DevicesDelta } from './graph.ts'
import { checkNext } from './page-walk.ts'
import type { ListDeps } from './read-lists.ts'
import { pathOfLink, readPage } from './read-page.ts'
import { isRow, readId } from './read-row.ts'

const LATEST_PATH = '/v1.0/devices/delta?$deltatoken=latest&$select=deviceId,isCompliant,isManaged'
const CALL = { permission: 'Device.Read.All', workload: 'entra' } as const
const EXPIRED: DevicesDelta = { azureADDeviceIds: [], deltaLink: '', expired: true }
/** 400 with one of these means what 410 means. Source: microsoft-graph-docs-contrib concepts/delta-query-overview.md. */
const RESYNC_CODES = new Set([
  'syncStateNotFound',
  'SyncStateNotFound',
  'syncStateInvalid',
  'SyncStateInvalid',
  'resyncRequired',
])

/** A link to the changes from now on. */
export async function startDevicesDelta(deps: ListDeps, signal: AbortSignal): Promise<string> {
  const { deltaLink } = await readChanges(LATEST_PATH, deps, signal)
  return deltaLink
}

/** The changes since the link was made. A link of another endpoint, left over from before the setting changed, has expired. */
export async function readDevicesDelta(deltaLink: string, deps: ListDeps, signal: AbortSignal): Promise<DevicesDelta> {
  let path: string
  try {
    path = pathOfLink(deltaLink, deps.endpoint)
  } catch (error) {
    deps.log.warn({ err: error }, 'The stored delta link is not of this endpoint')
    return EXPIRED
  }
  try {
    return await readChanges(path, deps, signal)
  } catch (error) {
    if (error instanceof PermanentError && isResync(error)) return EXPIRED
    throw error
  }
}

function isResync(error: PermanentError): boolean {
  return error.code === 'graph-delta-expired' || RESYNC_CODES.has(String(error.detail['graphCode']))
}

async function readChanges(first: string, deps: ListDeps, signal: AbortSignal): Promise<DevicesDelta> {
  const ids = new Set<string>()
  const seen = new Set([first])
  for (let path = first; ; ) {
    const page = readPage(await deps.request({ ...CALL, path }, signal), deps.endpoint)
    for (const row of page.rows) {
      // A removed device shows its object id only; its managed device is missed by the next full read.
      const deviceId = isRow(row) ? readId(row['deviceId']) : undefined
      if (deviceId) ids.add(deviceId)
    }
    if (page.deltaLink !== undefined) return { azureADDeviceIds: [...ids], deltaLink: page.deltaLink }
    if (page.next === undefined) throw unreadableAnswer(new Error('A delta with neither nextLink nor deltaLink'))
    checkNext(seen, page.next)
    path = page.next
  }
}
