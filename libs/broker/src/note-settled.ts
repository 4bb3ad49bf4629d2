import type { BrokerOptions, HandledOutcome } from './broker-options.ts'
import type { Run } from './message-run.ts'
import type { Verdict } from './plan-outcome.ts'

/** Tells whoever watches how a delivery has ended: the metrics, its span and, for whoever follows each message, the log. */
export function noteSettled(
  { run, verdict, outcome }: { run: Run; verdict: Verdict; outcome: HandledOutcome },
  { log, metrics }: Pick<BrokerOptions, 'log' | 'metrics'>,
): void {
  const { messageId, type } = run.delivery.raw.properties
  const { lane, queue } = run.delivery
  const tookMs = performance.now() - run.startedAt
  metrics?.handled?.(String(type), outcome, tookMs / 1000)
  const { attempt } = run.facts
  const { traceId, spanId } = run.span.context
  const { organizationId, mailboxId, syncRunId } = run.subject
  const message = { messageId, messageType: type, lane, queue, attempt, organizationId, mailboxId, syncRunId }
  log.debug({ ...message, outcome, durationMs: Math.round(tookMs), traceId, spanId }, 'Message handled')
  // What only waits has not failed.
  const error = 'failure' in verdict ? verdict.failure?.code : undefined
  run.span.end({ error, attributes: { 'gatehouse.message.outcome': outcome } })
}
