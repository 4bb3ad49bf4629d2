import {
  type AccessChangePlan,
  deviceIdKey,
  layOver,
  type MailboxLists,
  type MailboxToEnforce,
  type OwnEntry,
} from '@gatehouse/store'

export type AccessChangeInput = {
  /** What is wanted, one per live partnership. */
  devices: MailboxToEnforce['devices']
  /** What Exchange has. */
  lists: MailboxLists
  /** Which entries of the lists are ours; every other one is an administrator's. */
  own: MailboxToEnforce['own']
}

export type PlannedAccessChange = {
  plan: AccessChangePlan
  isEmpty: boolean
  /** The lists once the plan is carried out. */
  after: MailboxLists
  /** Entries that become ours with the plan, and entries that are no longer: taken off, or gone without us. */
  own: OwnEntry[]
  disown: { key: string; list: 'allow' | 'block' }[]
}

type Wanted = 'allow' | 'block' | 'none' | 'undecided'

/**
 * The least change that brings the two lists of a mailbox to what is decided. It touches entries that are ours and nothing
 * else: a device an administrator has put on either list is the administrator's, whatever was decided meanwhile.
 */
export function planAccessChange({ devices, lists, own }: AccessChangeInput): PlannedAccessChange {
  const wanted = readWanted(devices)
  const owned = new Set(own.map(({ key, list }) => entryOf(key, list)))
  const allowed = groupByKey(lists.allowed)
  const blocked = groupByKey(lists.blocked)
  const plan: AccessChangePlan = { allowAdd: [], allowRemove: [], blockAdd: [], blockRemove: [] }
  for (const key of new Set([...wanted.keys(), ...own.map((entry) => entry.key)])) {
    const device = wanted.get(key) ?? { want: 'none', deviceId: key }
    if (device.want === 'undecided') continue
    const isOnAllowed = allowed.get(key) ?? []
    const isOnBlocked = blocked.get(key) ?? []
    const ownsAllow = owned.has(entryOf(key, 'allow'))
    const ownsBlock = owned.has(entryOf(key, 'block'))
    const isAdministrators = (isOnAllowed.length > 0 && !ownsAllow) || (isOnBlocked.length > 0 && !ownsBlock)
    const want = isAdministrators ? 'none' : device.want
    if (want !== 'allow' && ownsAllow) plan.allowRemove.push(...isOnAllowed)
    if (want !== 'block' && ownsBlock) plan.blockRemove.push(...isOnBlocked)
    if (want === 'allow' && isOnAllowed.length === 0) plan.allowAdd.push(device.deviceId)
    if (want === 'block' && isOnBlocked.length === 0) plan.blockAdd.push(device.deviceId)
  }
  const after = layOver(lists, plan)
  return {
    plan,
    isEmpty: Object.values(plan).every((ids) => ids.length === 0),
    after,
    own: [...entriesOf(plan.allowAdd, 'allow'), ...entriesOf(plan.blockAdd, 'block')],
    disown: findDisowned(own, lists, after),
  }
}

/** Several partnerships may share a device id: then a block of one outranks all, and one undecided makes all wait. */
function readWanted(devices: AccessChangeInput['devices']): Map<string, { want: Wanted; deviceId: string }> {
  const rank: Record<Wanted, number> = { none: 0, allow: 1, undecided: 2, block: 3 }
  const wanted = new Map<string, { want: Wanted; deviceId: string }>()
  for (const { deviceId, exemption } of devices) {
    const key = deviceIdKey(deviceId)
    const want = exemption ?? 'undecided'
    const known = wanted.get(key)
    if (key !== '' && (known === undefined || rank[want] > rank[known.want]))
      wanted.set(key, { want, deviceId: known?.deviceId ?? deviceId.trim() })
  }
  return wanted
}

/**
 * An entry that is gone without us stops being ours, so that one an administrator adds later under the same id is theirs. A
 * fresh one stays ours: the directory Exchange read may only be behind.
 */
function findDisowned(own: AccessChangeInput['own'], before: MailboxLists, after: MailboxLists): PlannedAccessChange['disown'] {
  const has = { before: entriesIn(before), after: entriesIn(after) }
  return own
    .filter(({ key, list, isFresh }) => !has.after.has(entryOf(key, list)) && (has.before.has(entryOf(key, list)) || !isFresh))
    .map(({ key, list }) => ({ key, list }))
}

function entriesIn(lists: MailboxLists): Set<string> {
  const allowed = lists.allowed.map((id) => entryOf(deviceIdKey(id), 'allow'))
  return new Set([...allowed, ...lists.blocked.map((id) => entryOf(deviceIdKey(id), 'block'))])
}

function entriesOf(ids: readonly string[], list: 'allow' | 'block'): OwnEntry[] {
  return ids.map((deviceId) => ({ key: deviceIdKey(deviceId), list, deviceId }))
}

function groupByKey(ids: readonly string[]): Map<string, string[]> {
  return Map.groupBy(ids, deviceIdKey)
}

function entryOf(key: string, list: 'allow' | 'block'): string {
  return `${list}:${key}`
}
