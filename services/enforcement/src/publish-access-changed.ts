import type { Task } from './new-access-change.ts'

/** Says that a block of this mailbox was announced, written or given up. May be said twice. */
export async function publishAccessChanged({ message, context, deps, signal }: Task, changeId: string): Promise<void> {
  const { organizationId, mailboxId } = message
  await deps.broker.publish(
    'access.changed',
    { organizationId, mailboxId, changeId },
    { lane: context.lane, causedBy: context, signal },
  )
}
