import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type { TraceContext } from '@gatehouse/tracing'
import type { BrokerLog, BrokerMetrics, HandledOutcome } from './broker-options.ts'
import { ladderRoute } from './delay-ladder.ts'
import { copyOptions, deadHeaders, delayedHeaders, type Headers } from './message-headers.ts'
import type { Run } from './message-run.ts'
import type { Failure, Verdict } from './plan-outcome.ts'
import type { Outgoing } from './publisher.ts'
import type { Delivery } from './queue-subscription.ts'
import type { ServiceName } from './service-names.ts'
import { DEAD } from './topology-names.ts'

export type SettleDependencies = {
  readonly service: ServiceName
  readonly send: (outgoing: Outgoing, signal: AbortSignal) => Promise<void>
  readonly log: BrokerLog
  readonly metrics: BrokerMetrics | undefined
  readonly now: () => Date
  /** Aborted when the consumer may wait no longer. */
  readonly signal: AbortSignal
}

const GIVE_BACK_AFTER_MS = 2_000

/**
 * Does what the verdict says: the one place where a message is acknowledged, delayed or buried. A message leaves its queue
 * only after its copy elsewhere is confirmed, so a crash in between repeats it and never loses it.
 */
export async function settleDelivery(verdict: Verdict, run: Run, deps: SettleDependencies): Promise<HandledOutcome> {
  const { delivery } = run
  const { raw, channel } = delivery
  // A lost channel's message is on its way to somebody again: a copy in the ladder would double it.
  if (!channel.isOpen) return 'dropped'
  switch (verdict.kind) {
    case 'acknowledge':
      return channel.ack(raw) ? 'done' : 'dropped'
    case 'giveBack':
      return channel.giveBack(raw) ? 'requeued' : 'dropped'
    case 'delay':
      return await moveTo(delivery, planDelay(verdict, run, deps), deps)
    case 'deadLetter':
      return await moveTo(delivery, planDeadLetter(verdict, run, deps), deps)
    default: {
      const never: never = verdict
      return never
    }
  }
}

type Move = { exchange: string; routingKey: string; headers: Headers; outcome: HandledOutcome; confirmed: () => void }

function planDelay(verdict: Verdict & { kind: 'delay' }, run: Run, { service, log, metrics, now }: SettleDependencies): Move {
  const { raw, lane, queue } = run.delivery
  const { attempt } = run.facts
  const { exchange, routingKey, delayMs } = ladderRoute(verdict.delayMs, { service, lane })
  const type = typeOf(raw)
  return {
    exchange,
    routingKey,
    headers: delayedHeaders(raw, { attempt, failure: verdict.failure, trace: traceOf(run), now: now() }),
    outcome: verdict.failure === undefined ? 'later' : 'retry',
    confirmed: () => {
      metrics?.delayed?.(type, verdict.reason, delayMs)
      const { failure, reason } = verdict
      const { messageId } = raw.properties
      const { organizationId, mailboxId, syncRunId } = run.subject
      const subject = { organizationId, mailboxId, syncRunId }
      const fields = { messageId, messageType: type, lane, queue, attempt, ...subject, delayMs, reason }
      if (failure === undefined) log.debug(fields, 'Message waits')
      else log.warn({ ...fields, code: failure.code, err: errOf(failure) }, 'Message failed, will be tried again')
    },
  }
}

function planDeadLetter(
  verdict: Verdict & { kind: 'deadLetter' },
  run: Run,
  { service, log, metrics, now }: SettleDependencies,
): Move {
  const { raw, queue } = run.delivery
  const { attempt } = run.facts
  const { reason, failure, issues } = verdict
  const handler = typeOf(raw)
  return {
    exchange: DEAD,
    routingKey: service,
    headers: deadHeaders(raw, {
      reason,
      failure,
      ...(issues === undefined ? {} : { issues }),
      handler,
      queue,
      attempt,
      trace: traceOf(run),
      now: now(),
    }),
    outcome: 'dead',
    confirmed: () => {
      metrics?.deadLettered?.(handler, reason, failure.code)
      const { messageId } = raw.properties
      const { organizationId, mailboxId, syncRunId } = run.subject
      const fields = { messageId, messageType: handler, queue, attempt, organizationId, mailboxId, syncRunId, reason }
      log.error({ ...fields, code: failure.code, err: errOf(failure) }, 'Message is dead')
    },
  }
}

async function moveTo(delivery: Delivery, move: Move, deps: SettleDependencies): Promise<HandledOutcome> {
  const { raw, channel } = delivery
  const options = copyOptions(raw, move.headers, raw.properties.messageId ?? randomUUID())
  try {
    await deps.send({ exchange: move.exchange, routingKey: move.routingKey, content: raw.content, options }, deps.signal)
  } catch (error) {
    if (!deps.signal.aborted) {
      deps.log.error({ err: error, exchange: move.exchange, queue: delivery.queue }, 'Cannot move a message')
      // It comes back at once when given back; without a pause this would spin until the broker takes it for poison.
      await delay(GIVE_BACK_AFTER_MS, undefined, { signal: deps.signal }).catch(() => {})
    }
    return channel.giveBack(raw) ? 'requeued' : 'dropped'
  }
  move.confirmed()
  return channel.ack(raw) ? move.outcome : 'dropped'
}

/** Without its stack: what a handler throws on purpose has said all that there is. */
function errOf({ errorClass, message }: Failure): { type: string; message: string } {
  return { type: errorClass, message }
}

/** What a copy of the message carries: the trace that it came with, or the one that began with it. */
function traceOf({ facts, span }: Run): TraceContext {
  return facts.trace ?? span.context
}

function typeOf(raw: Delivery['raw']): string {
  return typeof raw.properties.type === 'string' ? raw.properties.type : 'unknown'
}
