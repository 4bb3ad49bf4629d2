import { type Message, RetryableError } from '@gatehouse/messages'
import type { Span } from '@gatehouse/tracing'
import type { MessageContext } from './broker-options.ts'
import type { RunSignal } from './concurrency-limit.ts'
import type { readFacts } from './message-headers.ts'
import type { Ending } from './plan-outcome.ts'
import type { Delivery } from './queue-subscription.ts'

/** What a message is about, for the log. */
export type Subject = { readonly [Key in 'organizationId' | 'mailboxId' | 'syncRunId']?: string }

/** One delivery from its beginning to its settlement. */
export type Run = {
  readonly delivery: Delivery
  readonly controller: AbortController
  readonly startedAt: number
  readonly facts: ReturnType<typeof readFacts>
  readonly subject: Subject
  readonly span: Span
  /** It went first, to find out whether a dependency answers again. */
  readonly isProbe: boolean
  timedOutAt: number | undefined
  isFinished: boolean
}

/** Refused for asking too much, or so slow that it was given up. */
export function signalOf(run: Run, ending: Ending): RunSignal {
  if (run.timedOutAt !== undefined) return 'overload'
  if (ending.kind === 'answered') return ending.outcome.kind === 'done' ? 'fine' : 'nothing'
  if (ending.kind !== 'threw' || !(ending.error instanceof RetryableError)) return 'nothing'
  return ending.error.retryAfterMs !== undefined || ending.error.code.endsWith('throttled') ? 'overload' : 'nothing'
}

export function subjectOf(message: Message): Subject {
  return {
    ...('organizationId' in message && message.organizationId !== undefined && { organizationId: message.organizationId }),
    ...('mailboxId' in message && { mailboxId: message.mailboxId }),
    ...('syncRunId' in message && message.syncRunId !== undefined && { syncRunId: message.syncRunId }),
  }
}

/** What its handler is told. */
export function contextOf({ delivery, facts, span }: Run, messageId: string): MessageContext {
  return {
    messageId,
    lane: delivery.lane,
    attempt: facts.attempt,
    receivedAt: delivery.receivedAt,
    redelivered: delivery.raw.fields.redelivered,
    ...(facts.firstFailedAt === undefined ? {} : { firstFailedAt: facts.firstFailedAt }),
    trace: span.context,
  }
}
