import { type AccessChangePlan, deviceIdKey } from '@gatehouse/store'

/** ActiveSyncAllowedDeviceIDs and ActiveSyncBlockedDeviceIDs of one mailbox. Ids are compared without regard to case. */
export type MailboxLists = { readonly allowed: readonly string[]; readonly blocked: readonly string[] }

/** The lists after a plan was carried out on them. Laying the same plan over them again changes nothing. */
export function layOver(lists: MailboxLists, plan: AccessChangePlan): MailboxLists {
  return {
    allowed: change(lists.allowed, plan.allowAdd, plan.allowRemove),
    blocked: change(lists.blocked, plan.blockAdd, plan.blockRemove),
  }
}

/** Whether the lists look as they must once the plan was carried out. */
export function shows(lists: MailboxLists, plan: AccessChangePlan): boolean {
  const allowed = keysOf(lists.allowed)
  const blocked = keysOf(lists.blocked)
  const has = (keys: ReadonlySet<string>) => (id: string) => keys.has(deviceIdKey(id))
  return (
    plan.allowAdd.every(has(allowed)) &&
    plan.blockAdd.every(has(blocked)) &&
    !plan.allowRemove.some(has(allowed)) &&
    !plan.blockRemove.some(has(blocked))
  )
}

function change(ids: readonly string[], add: readonly string[], remove: readonly string[]): string[] {
  const removed = keysOf(remove)
  const kept = ids.filter((id) => !removed.has(deviceIdKey(id)))
  const present = keysOf(kept)
  return [...kept, ...add.filter((id) => !present.has(deviceIdKey(id)))]
}

function keysOf(ids: readonly string[]): Set<string> {
  return new Set(ids.map(deviceIdKey))
}
