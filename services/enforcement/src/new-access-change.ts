import { randomUUID } from 'node:crypto'
import type { MessageContext } from '@gatehouse/broker'
import type { MailboxDecided } from '@gatehouse/messages'
import type { MailboxLists, NewAccessChange } from '@gatehouse/store'
import type { EnforcementDeps } from './enforcement-deps.ts'
import type { Organization } from './organization.ts'
import type { PlannedAccessChange } from './plan-access-change.ts'

/** One message in hand, its mailbox locked. `signal` is aborted when the lock is lost too. */
export type Task = {
  readonly message: MailboxDecided
  readonly context: MessageContext
  readonly deps: EnforcementDeps
  readonly organization: Organization
  readonly signal: AbortSignal
}

/** The row of a planned change, before it has been announced, written or reported. */
export function newAccessChange(o: { task: Task; lists: MailboxLists; planned: PlannedAccessChange }): NewAccessChange {
  const { message } = o.task
  return {
    id: randomUUID(),
    mailboxId: message.mailboxId,
    organizationId: message.organizationId,
    syncRunId: message.syncRunId,
    decisionVersion: message.decisionVersion,
    plan: o.planned.plan,
    oldAllowed: o.lists.allowed,
    oldBlocked: o.lists.blocked,
    newAllowed: o.planned.after.allowed,
    newBlocked: o.planned.after.blocked,
    cmdlet: 'Set-CASMailbox',
  }
}
