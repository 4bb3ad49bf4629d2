import { type AccessChangePlan, deviceIdKey, type EnforcementRecord, type MailboxToEnforce } from '@gatehouse/store'
import { shows } from './shows.ts'

/** The problem of a change that somebody else has undone. */
export const EXCHANGE_DRIFT = 'exchange-drift'

/**
 * The changes that have come to their end by now. `verified`: a later read of Exchange shows them, as far as we have not changed
 * the same device again since. `superseded`: a later read does not show them, so somebody else has been there (drift); or they
 * were announced and something else is to be done now. `keptId` is the change that is about to be written.
 */
export function endedChanges(
  state: Pick<MailboxToEnforce, 'changes' | 'allowed_device_ids' | 'blocked_device_ids'>,
  keptId?: string,
): Pick<EnforcementRecord, 'verifiedIds' | 'superseded'> {
  const observed = { allowed: state.allowed_device_ids, blocked: state.blocked_device_ids }
  const changedAgain = new Set<string>()
  const verifiedIds: string[] = []
  const driftedIds: string[] = []
  const announcedIds: string[] = []
  for (const change of state.changes.toReversed()) {
    if (change.id === keptId) continue
    if (change.state === 'announced') announcedIds.push(change.id)
    if (change.state !== 'written') continue
    if (change.is_before_observation) {
      const isShown = shows(observed, without(change.plan, changedAgain))
      ;(isShown ? verifiedIds : driftedIds).push(change.id)
    }
    for (const ids of Object.values(change.plan)) for (const id of ids) changedAgain.add(deviceIdKey(id))
  }
  const problem = { code: EXCHANGE_DRIFT, message: 'A later read of Exchange did not show this change' }
  return { verifiedIds, superseded: { ids: [...driftedIds, ...announcedIds], ...(driftedIds.length > 0 && { problem }) } }
}

function without(plan: AccessChangePlan, keys: ReadonlySet<string>): AccessChangePlan {
  const rest = (ids: readonly string[]) => ids.filter((id) => !keys.has(deviceIdKey(id)))
  return {
    allowAdd: rest(plan.allowAdd),
    allowRemove: rest(plan.allowRemove),
    blockAdd: rest(plan.blockAdd),
    blockRemove: rest(plan.blockRemove),
  }
}
