import type { BrokerConnection, MessageContext } from '@gatehouse/broker'
import { abortReason, later, type Outcome } from '@gatehouse/messages'
import type { Connected } from './exchange-connection.ts'
import { type FailureVerdict, judgeExchangeFailure } from './judge-exchange-failure.ts'
import type { Organization } from './organization.ts'

export type WithExchangeOptions = {
  organization: Organization
  broker: Pick<BrokerConnection, 'publish'>
  /** The run to tell of a pause; without one nobody is told. */
  syncRunId?: string
  context: MessageContext
  signal: AbortSignal
  /** What to leave behind before the message ends so; called before anything else happens. */
  onFailure?: (verdict: FailureVerdict, error: unknown) => Promise<void>
}

/**
 * Runs `work` with the organisation's Exchange. While it is paused, and when `work` meets an Exchange that does not answer or
 * refuses us altogether, the message waits in the ladder without holding a slot or spending an attempt.
 */
export async function withExchange<T>(
  o: WithExchangeOptions,
  work: (connected: Connected) => Promise<T>,
): Promise<T | Outcome> {
  const { breaker, connection } = o.organization
  const waitMs = breaker.tryPass()
  if (waitMs > 0) return later(waitMs, 'exchange-paused')
  let connected: Connected | undefined
  try {
    connected = await connection.use(o.signal)
    const result = await work(connected)
    if (breaker.succeeded()) await tell(o)
    return result
  } catch (error) {
    const verdict = judgeExchangeFailure(error, connected === undefined ? 'connect' : 'cmdlet', o.signal.aborted)
    // The password was changed: the next connection is made with what its file holds then.
    if (connected !== undefined && verdict.code === 'exchange-authentication-failed') connection.drop(connected)
    return await settleFailure(o, verdict, error)
  }
}

async function settleFailure(o: WithExchangeOptions, verdict: FailureVerdict, error: unknown): Promise<Outcome> {
  const { breaker } = o.organization
  if (verdict.kind === 'interrupted') {
    breaker.interrupted()
    throw abortReason(o.signal)
  }
  o.organization.noteFailure(error)
  await o.onFailure?.(verdict, error)
  if (verdict.kind === 'pause') {
    if (breaker.failed(verdict.askedMs, verdict.message)) await tell(o, verdict)
    return later(breaker.waitMs(), 'exchange-paused')
  }
  if (verdict.isAnswer && breaker.succeeded()) await tell(o)
  if (verdict.isSuspicious && breaker.suspect(verdict.message)) await tell(o, verdict)
  throw error
}

async function tell(o: WithExchangeOptions, problem?: { code: string; message: string }): Promise<void> {
  if (o.syncRunId === undefined) return
  await o.broker.publish(
    'sync.progressed',
    {
      syncRunId: o.syncRunId,
      stage: 'enforcing',
      counts: {},
      organizationId: o.organization.id,
      ...(problem && { problem: { code: problem.code, message: problem.message } }),
    },
    { lane: o.context.lane, causedBy: o.context, signal: o.signal },
  )
}
