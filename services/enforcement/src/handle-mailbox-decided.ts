import type { MessageContext } from '@gatehouse/broker'
import { done, later, type MailboxDecided, type Outcome, PermanentError } from '@gatehouse/messages'
import { layOver, type MailboxLists, type MailboxToEnforce, reportAccessChange } from '@gatehouse/store'
import { announceBlock } from './announce-block.ts'
import { endedChanges } from './ended-changes.ts'
import type { EnforcementDeps } from './enforcement-deps.ts'
import { findBlockWait } from './find-block-wait.ts'
import { inHandLimit } from './in-hand-limit.ts'
import { newAccessChange, type Task } from './new-access-change.ts'
import { type PlannedAccessChange, planAccessChange } from './plan-access-change.ts'
import { publishAccessChanged } from './publish-access-changed.ts'
import { resolveUncertainWrites } from './resolve-uncertain-writes.ts'
import { writeAccessChange } from './write-access-change.ts'

const BUSY_MS = 500
const NOT_READY_MS = 2_000

/** Safe to run twice: reads both sides again every time and performs only what still differs. */
export async function handleMailboxDecided(
  message: MailboxDecided,
  context: MessageContext,
  deps: EnforcementDeps,
  signal: AbortSignal,
): Promise<Outcome> {
  const organization = deps.organizations.get(message.organizationId)
  if (organization === undefined)
    throw new PermanentError('organization-unknown', 'The organisation is not in the settings of this worker')
  const { connection } = organization
  const now = { shellsAllowed: connection.shellsAllowed, slotsShare: deps.slots.shareOf(organization) }
  // The pool itself lets what is urgent go first.
  if (organization.inHand >= inHandLimit(organization, now) && context.lane !== 'urgent')
    return later(deps.slots.nextTurnMs(organization), 'organization-busy')
  using _slot = deps.slots.take(organization)
  using lock = await deps.locks.tryLock(`mailbox:${message.mailboxId}`)
  if (lock === undefined) return later(BUSY_MS, 'mailbox-locked')
  return await enforce({ message, context, deps, organization, signal: AbortSignal.any([signal, lock.signal]) })
}

async function enforce(task: Task): Promise<Outcome> {
  const { message, deps } = task
  const state = await deps.store.read(message)
  if (state === undefined) throw new PermanentError('mailbox-unknown', 'Discovery has not stored this mailbox')
  if (state.report_only === null || state.epoch === null) return later(NOT_READY_MS, 'organization-not-ready')
  if (state.decision_version === null || state.decision_version < message.decisionVersion)
    return later(BUSY_MS, 'decision-not-visible')
  // The newer decision has its own message and its own run, whose brake this one must not get around.
  if (state.decision_version > message.decisionVersion) return done
  if (state.changes.some((change) => change.state === 'writing'))
    return (await resolveUncertainWrites(task, state)) ?? (await enforce(task))
  return await carryOut(task, state, actualLists(state))
}

/** What was last observed, with our own writes since then laid over it. */
function actualLists(state: MailboxToEnforce): MailboxLists {
  const observed = { allowed: state.allowed_device_ids, blocked: state.blocked_device_ids }
  return state.changes
    .filter((change) => change.state === 'written' && !change.is_before_observation)
    .reduce<MailboxLists>((lists, { plan }) => layOver(lists, plan), observed)
}

async function carryOut(task: Task, state: MailboxToEnforce, lists: MailboxLists): Promise<Outcome> {
  const planned = planAccessChange({ devices: state.is_vanished ? [] : state.devices, lists, own: state.own })
  if (planned.isEmpty || state.is_vanished) return await recordUnchanged(task, state, planned)
  const change = newAccessChange({ task, lists, planned })
  if (state.report_only === true) return await report(task, state, { ...planned, change })
  if (planned.plan.blockAdd.length > 0) {
    const { redelivered: isRedelivered } = task.context
    const wait = findBlockWait({ state, plan: planned.plan, noticeWaitMs: task.organization.noticeWaitMs, isRedelivered })
    if (wait.kind === 'wait') return later(wait.afterMs, wait.reason)
    if (wait.kind === 'announce') return await announceBlock(task, state, change)
    if (wait.kind === 'remind') return await remind(task, wait)
    if (wait.announcedId !== undefined) change.id = wait.announcedId
  }
  return await writeAccessChange(task, { change, planned, ended: endedChanges(state, change.id) })
}

async function recordUnchanged(task: Task, state: MailboxToEnforce, planned: PlannedAccessChange): Promise<Outcome> {
  const { message, deps } = task
  const { verifiedIds, superseded } = endedChanges(state)
  await deps.store.record({
    ...message,
    outcome: 'unchanged',
    own: [],
    disown: state.is_vanished ? [] : planned.disown,
    verifiedIds,
    superseded,
  })
  if (!task.context.redelivered) return done
  // We may have died between writing and saying so.
  const written = state.changes.findLast(
    (change) =>
      change.state === 'written' && change.decision_version === message.decisionVersion && change.plan.blockAdd.length > 0,
  )
  if (written !== undefined) await publishAccessChanged(task, written.id)
  return done
}

async function report(
  task: Task,
  state: MailboxToEnforce,
  planned: PlannedAccessChange & { change: ReturnType<typeof newAccessChange> },
): Promise<Outcome> {
  const { message, deps } = task
  const known = state.last_reported_plan
  if (known === null || !isSamePlan(known, planned.plan)) await reportAccessChange(deps.pool, planned.change)
  await deps.store.record({ ...message, outcome: 'reported', own: [], disown: [], ...endedChanges(state) })
  return done
}

/** A notice that nobody seems to have heard of: the message that announced it may never have been sent. */
async function remind(task: Task, wait: { announcedId: string; afterMs: number }): Promise<Outcome> {
  await publishAccessChanged(task, wait.announcedId)
  return later(wait.afterMs, 'notice-pending')
}

function isSamePlan(one: PlannedAccessChange['plan'], other: PlannedAccessChange['plan']): boolean {
  const textOf = (plan: PlannedAccessChange['plan']) =>
    JSON.stringify([plan.allowAdd, plan.allowRemove, plan.blockAdd, plan.blockRemove].map((ids) => ids.toSorted()))
  return textOf(one) === textOf(other)
}
