import type { MessageContext } from '@gatehouse/broker'
import { done, later, type Outcome } from '@gatehouse/messages'
import type { ComplianceLookupDeps } from './compliance-lookup-deps.ts'
import { planMailboxDecision } from './plan-mailbox-decision.ts'

const REFRESH_PENDING_MS = 2_000
const NOT_READY_MS = 2_000
const DECIDED_MEANWHILE_MS = 100

export type MailboxToBeDecided = { readonly organizationId: string; readonly mailboxId: string; readonly syncRunId: string }

/**
 * Decides every device of one mailbox, stores the decision and publishes it. Safe to run twice: the same facts give the same
 * decision under a newer version.
 */
export async function decideMailbox(
  mailbox: MailboxToBeDecided,
  context: MessageContext,
  deps: ComplianceLookupDeps,
  signal: AbortSignal,
): Promise<Outcome> {
  const gate = await deps.gate(mailbox.syncRunId, signal)
  if (gate === 'not-yet') return later(REFRESH_PENDING_MS, 'graph-refresh-pending')
  // The run has failed: nothing of it is decided on old facts, and the next run publishes what has no decision.
  if (gate === 'over') return done
  const state = await deps.decisions.read(mailbox)
  if (state === undefined) return done
  const decision = planMailboxDecision(state, new Date())
  if (decision === undefined) return later(NOT_READY_MS, 'policy-not-written')
  const decisionVersion = await deps.decisions.store({
    ...mailbox,
    ...decision,
    madeAgainst: state.decision_version,
  })
  // Somebody else decided between the reading and the writing, perhaps on older facts than these: look again.
  if (decisionVersion === undefined) return later(DECIDED_MEANWHILE_MS, 'decided-meanwhile')
  const { organizationId, mailboxId, syncRunId } = mailbox
  await deps.broker.publish(
    'mailbox.decided',
    { organizationId, mailboxId, decisionVersion, syncRunId },
    { lane: context.lane, causedBy: context, signal },
  )
  return done
}
