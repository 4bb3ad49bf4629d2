import { later, type Outcome } from '@gatehouse/messages'
import { announceAccessChange, type MailboxToEnforce, type NewAccessChange } from '@gatehouse/store'
import type { Task } from './new-access-change.ts'
import { publishAccessChanged } from './publish-access-changed.ts'

const FIRST_LOOK_MS = 500

/** The mail with the way out goes before the block: a blocked phone could no longer read it (connector.md §1.9). */
export async function announceBlock(task: Task, state: MailboxToEnforce, change: NewAccessChange): Promise<Outcome> {
  const overtaken = state.changes.filter((each) => each.state === 'announced').map(({ id }) => id)
  await announceAccessChange(task.deps.pool, change, overtaken)
  await publishAccessChanged(task, change.id)
  return later(FIRST_LOOK_MS, 'notice-pending')
}
