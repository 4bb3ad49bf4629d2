import { type AccessChangePlan, deviceIdKey, type MailboxLists } from '@gatehouse/store'

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

function keysOf(ids: readonly string[]): Set<string> {
  return new Set(ids.map(deviceIdKey))
}
