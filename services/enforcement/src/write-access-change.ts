import { done, later, type Outcome } from '@gatehouse/messages'
import { type EnforcementRecord, type NewAccessChange, settleAccessChange } from '@gatehouse/store'
import type { Connected } from './exchange-connection.ts'
import type { FailureVerdict } from './judge-exchange-failure.ts'
import type { Task } from './new-access-change.ts'
import type { PlannedAccessChange } from './plan-access-change.ts'
import { publishAccessChanged } from './publish-access-changed.ts'
import { withExchange } from './with-exchange.ts'

export type WriteOptions = {
  change: NewAccessChange
  planned: PlannedAccessChange
  ended: Pick<EnforcementRecord, 'verifiedIds' | 'superseded'>
}

const REPLACED_MS = 1_000
/** How much the newest write counts in what a write takes lately. */
const NEWEST = 0.1

/**
 * The write itself: committed as `writing`, then sent, then committed as `written`. Whoever finds a change left `writing`
 * reads the mailbox back, so that it does not matter at which point this process dies.
 */
export async function writeAccessChange(task: Task, options: WriteOptions): Promise<Outcome> {
  const { message, context, deps, organization, signal } = task
  const { change } = options
  let hasBegun = false
  const onFailure = async (verdict: FailureVerdict) => {
    if (hasBegun) await settleFailed(task, options, verdict)
  }
  const write = async (connected: Connected): Promise<Outcome> => {
    if (!(await deps.store.begin({ change, epoch: connected.epoch }))) {
      organization.connection.drop(connected)
      return later(REPLACED_MS, 'connector-replaced')
    }
    hasBegun = true
    const { durationMs } = await connected.exchange.setCasMailbox(message.mailboxId, change.plan, {
      signal,
      priority: context.lane,
    })
    organization.writeMs = (organization.writeMs ?? durationMs) * (1 - NEWEST) + durationMs * NEWEST
    await deps.store.record({
      ...message,
      outcome: 'written',
      change: { id: change.id, state: 'written', durationMs },
      own: options.planned.own,
      disown: options.planned.disown,
      ...options.ended,
    })
    hasBegun = false
    // Who is let in needs no notice.
    if (change.plan.blockAdd.length > 0) await publishAccessChanged(task, change.id)
    return done
  }
  const { syncRunId } = message
  return await withExchange({ organization, broker: deps.broker, syncRunId, context, signal, onFailure }, write)
}

/** Leaves the change `writing` when Exchange may have done it: the next attempt looks. */
async function settleFailed(task: Task, { change, ended }: WriteOptions, verdict: FailureVerdict): Promise<void> {
  const { message, context, deps } = task
  const problem = { code: verdict.code, message: verdict.message }
  const isLast = verdict.kind === 'retry' && context.attempt >= deps.maxAttempts
  if (verdict.kind === 'fail' || isLast) {
    // What Exchange may yet have done stays uncertain, so that the next decision of this mailbox looks for it.
    const isCertain = verdict.kind === 'fail' || verdict.isNotDone
    const failed = isCertain ? { change: { id: change.id, state: 'failed' as const, problem } } : {}
    await deps.store.record({ ...message, outcome: 'failed', ...failed, own: [], disown: [], ...ended })
    await publishAccessChanged(task, change.id)
    return
  }
  if (!verdict.isNotDone) return
  await settleAccessChange(deps.pool, { id: change.id, mailboxId: change.mailboxId, plan: change.plan, isDone: false, problem })
}
