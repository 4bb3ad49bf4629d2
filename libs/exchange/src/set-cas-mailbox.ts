import { PermanentError } from '@gatehouse/messages'
import type { Command, PsValue } from '@gatehouse/powershell'
import { requireGuid } from './guid.ts'

/** Device ids to put on and take off the two lists of one mailbox, in Exchange's own case. */
export type AccessChangePlan = { allowAdd: string[]; allowRemove: string[]; blockAdd: string[]; blockRemove: string[] }

const IDS_MAX = 1_200

/**
 * The one cmdlet that carries out a plan. Only Add and Remove: a plain list would overwrite what others put there.
 * Throws PermanentError: `identity-refused`, `empty-plan`, `plan-refused` (an empty id, the same id added and removed, or more
 * ids than the directory can hold in one object, about 1,200).
 */
export function createSetCasMailbox(mailboxGuid: string, plan: AccessChangePlan): Command {
  const identity = requireGuid(mailboxGuid, 'mailbox')
  const allowed = createDelta(plan.allowAdd, plan.allowRemove)
  const blocked = createDelta(plan.blockAdd, plan.blockRemove)
  if (allowed === undefined && blocked === undefined) throw refusal('empty-plan', 'There is nothing to change')
  return {
    name: 'Set-CASMailbox',
    parameters: {
      Identity: identity,
      ...(allowed && { ActiveSyncAllowedDeviceIDs: allowed }),
      ...(blocked && { ActiveSyncBlockedDeviceIDs: blocked }),
    },
  }
}

function createDelta(add: readonly string[], remove: readonly string[]): Record<string, PsValue> | undefined {
  if (add.length + remove.length > IDS_MAX) throw refusal('plan-refused', `More than ${IDS_MAX} device ids in one change`)
  if ([...add, ...remove].some((id) => id.trim() === '')) throw refusal('plan-refused', 'An empty device id')
  const added = new Set(add)
  if (remove.some((id) => added.has(id))) throw refusal('plan-refused', 'The same device id is added and removed')
  if (add.length === 0 && remove.length === 0) return undefined
  return { ...(add.length > 0 && { Add: [...add] }), ...(remove.length > 0 && { Remove: [...remove] }) }
}

function refusal(code: string, message: string): PermanentError {
  return new PermanentError(code, message, { detail: { mayHaveRun: false, scope: 'mailbox' } })
}
