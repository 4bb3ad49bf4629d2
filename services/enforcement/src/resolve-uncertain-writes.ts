import type { Outcome } from '@gatehouse/messages'
import type { MailboxLists } from '@gatehouse/store'
import { type MailboxToEnforce, settleAccessChange } from '@gatehouse/store'
import type { FailureVerdict } from './judge-exchange-failure.ts'
import type { Task } from './new-access-change.ts'
import { shows } from './shows.ts'
import { withExchange } from './with-exchange.ts'

/**
 * Changes left `writing`: whoever sent them died or lost the answer, so nobody knows whether Exchange did them. Reads the
 * mailbox back and settles each by what it shows. Undefined when nothing is uncertain any more, else how the message ends.
 */
export async function resolveUncertainWrites(task: Task, state: MailboxToEnforce): Promise<Outcome | undefined> {
  const { message, context, deps, organization, signal } = task
  const { syncRunId, mailboxId } = message
  const uncertain = state.changes.filter((change) => change.state === 'writing')
  const onFailure = async (verdict: FailureVerdict) => {
    const isLast = verdict.kind === 'retry' && context.attempt >= deps.maxAttempts
    if (verdict.kind === 'fail' || isLast) await giveUp(task, uncertain, verdict)
  }
  return await withExchange<Outcome | undefined>(
    { organization, broker: deps.broker, syncRunId, context, signal, onFailure },
    async ({ exchange }) => {
      const mailbox = await exchange.readCasMailbox(mailboxId, { signal, priority: context.lane })
      const lists: MailboxLists = { allowed: mailbox.allowedDeviceIds, blocked: mailbox.blockedDeviceIds }
      for (const { id, plan } of uncertain) {
        const isDone = shows(lists, plan)
        deps.log.info({ mailboxId, changeId: id, isDone }, 'Settled an uncertain write by reading the mailbox back')
        await settleAccessChange(deps.pool, { id, mailboxId, plan, isDone })
      }
      return undefined
    },
  )
}

/** A run must not wait for this mailbox for ever. Unless Exchange refuses to show it at all, its changes stay uncertain. */
async function giveUp(task: Task, uncertain: MailboxToEnforce['changes'], verdict: FailureVerdict): Promise<void> {
  const problem = { code: verdict.code, message: verdict.message }
  const change = verdict.kind === 'fail' ? uncertain[0] : undefined
  await task.deps.store.record({
    ...task.message,
    outcome: 'failed',
    ...(change && { change: { id: change.id, state: 'failed', problem } }),
    own: [],
    disown: [],
    verifiedIds: [],
    superseded: { ids: [] },
  })
}
