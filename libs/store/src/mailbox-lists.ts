import { deviceIdKey } from './access-changes.ts'
import type { AccessChangePlan } from './schema.ts'

/** ActiveSyncAllowedDeviceIDs and ActiveSyncBlockedDeviceIDs of one mailbox. Ids are compared without regard to case. */
export type MailboxLists = { readonly allowed: readonly string[]; readonly blocked: readonly string[] }

/** The lists after a plan was carried out on them. Laying the same plan over them again changes nothing. */
export function layOver(lists: MailboxLists, plan: AccessChangePlan): MailboxLists {
  return {
    allowed: change(lists.allowed, plan.allowAdd, plan.allowRemove),
    blocked: change(lists.blocked, plan.blockAdd, plan.blockRemove),
  }
}

function change(ids: readonly string[], add: readonly string[], remove: readonly string[]): string[] {
  const removed = new Set(remove.map(deviceIdKey))
  const kept = ids.filter((id) => !removed.has(deviceIdKey(id)))
  const present = new Set(kept.map(deviceIdKey))
  return [...kept, ...add.filter((id) => !present.has(deviceIdKey(id)))]
}
