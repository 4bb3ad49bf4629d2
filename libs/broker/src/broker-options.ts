import type { Lane, MessageOf, MessageType, Outcome } from '@gatehouse/messages'
import type { TraceContext, Tracer } from '@gatehouse/tracing'
import type { Channel } from 'amqplib'
import type { Pause } from './breaker.ts'
import type { ConcurrencyLimit } from './concurrency-limit.ts'
import type { Dependency } from './dependency.ts'
import type { ServiceName } from './service-names.ts'

/** The part of a pino logger that is used here. */
export type BrokerLog = {
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
  debug(fields: object, message: string): void
}

/**
 * How a delivery ended. `retry`: failed, waits in the ladder. `requeued`: given back by our stop. `dropped`: its channel was
 * lost before it was settled, so it will be delivered again.
 */
export type HandledOutcome = 'done' | 'later' | 'retry' | 'dead' | 'requeued' | 'dropped'

export type BrokerMetrics = {
  handled?(type: string, outcome: HandledOutcome, seconds: number): void
  published?(type: string): void
  /** A message went into the delay ladder. */
  delayed?(type: string, reason: string, delayMs: number): void
  /** `code`: of the last failure; `reason` may only say that there were too many. */
  deadLettered?(type: string, reason: string, code: string): void
  /** The broker confirmed a publication so long after it was sent. */
  confirmed?(seconds: number): void
  stateChanged?(state: BrokerState): void
}

export type RetryPolicy = {
  readonly maxAttempts: number
  /** The longest a message may keep answering `later`, or wait for a build that knows it. */
  readonly laterAgeMsMax: number
  /** Full jitter: the delay after attempt n is random between 0 and min(cap, base × 2ⁿ⁻¹). */
  readonly backoffBaseMs: number
  readonly backoffCapMs: number
  /** How long a message of an unknown type or a newer version waits before it is looked at again. */
  readonly unknownDelayMs: number
}

export type BrokerOptions = {
  /** amqp(s)://host:port/vhost; may hold user and password for everything. */
  readonly url: string
  readonly user?: string | undefined
  /** A function is asked for it at each connection. */
  readonly password?: string | (() => string) | undefined
  /** PEM, for a broker whose certificate is signed by an authority of one's own. */
  readonly ca?: string | undefined
  readonly connectionName: string
  readonly log: BrokerLog
  /** Publications that may wait for their confirm at once; bounds how far a full queue is overshot. */
  readonly unconfirmedMax: number
  /** The most unsettled deliveries of one queue. */
  readonly prefetchMax: number
  readonly maxAttempts: number
  readonly laterAgeMsMax: number
  readonly heartbeatSeconds?: number | undefined
  readonly retry?: Partial<Pick<RetryPolicy, 'backoffBaseMs' | 'backoffCapMs' | 'unknownDelayMs'>>
  readonly metrics?: BrokerMetrics | undefined
  /** Default: one of its own, so that traces are passed on but not recorded. */
  readonly tracer?: Tracer | undefined
  /** What every consumer of this connection needs. */
  readonly dependencies?: readonly Dependency[]
  readonly now?: () => Date
  readonly random?: () => number
}

export type BrokerState = 'connecting' | 'ready' | 'blocked' | 'draining' | 'closed'

export type MessageContext = {
  readonly messageId: string
  readonly lane: Lane
  /** 1 at the first attempt; `later` does not raise it. */
  readonly attempt: number
  readonly firstFailedAt?: string
  readonly receivedAt: Date
  readonly redelivered: boolean
  /** The span of its handling: what it causes carries it on. */
  readonly trace?: TraceContext
}

export type PublishOptions = {
  readonly lane: Lane
  readonly causedBy?: MessageContext | undefined
  readonly signal: AbortSignal
}

export type Handler<T extends MessageType> = (
  message: MessageOf<T>,
  context: MessageContext,
  signal: AbortSignal,
) => Promise<Outcome>

export type ConsumerOptions = {
  readonly service: ServiceName
  /** Messages in hand at most, both lanes together: the prefetch is chosen for it, the limit moves below it. */
  readonly concurrency: number
  /** For a handler that reports latencies to it; without one the limit goes by throttling and timeouts alone. */
  readonly limit?: ConcurrencyLimit
  /** What its messages cannot be handled without. */
  readonly dependencies?: readonly Dependency[]
  readonly handlers: { readonly [T in MessageType]?: Handler<T> }
  readonly handlerTimeoutMs: number
  /** When it stops, how long work in hand may go on before it is interrupted and given back. */
  readonly drainMs?: number
}

export type ConsumerStats = {
  readonly service: ServiceName
  readonly running: number
  /** Delivered, and not begun. */
  readonly waiting: number
  /** Queues that the broker delivers from. */
  readonly subscribed: number
  readonly limit: number
  readonly ceiling: number
  /** Deliveries that have ended, however. */
  readonly handled: number
  /** The dependency that keeps it from taking messages. */
  readonly held: (Pause & { readonly by: string; readonly isProbing: boolean }) | undefined
  /** When the message that has been in hand longest came, and when the oldest in hand was sent; in milliseconds of the epoch. */
  readonly oldestReceivedAt: number | undefined
  readonly oldestSentAt: number | undefined
}

/** Disposing it stops taking work, finishes the work in hand and gives the rest back. */
export interface Consumer extends AsyncDisposable {
  stats(): ConsumerStats
}

export type BrokerStats = {
  readonly state: BrokerState
  /** The alarm of the broker that keeps us from publishing, and for how long alarms have done so in all. */
  readonly blocked: { readonly sinceMs: number; readonly reason: string } | undefined
  readonly blockedMs: number
  readonly unconfirmed: number
  readonly toPublish: number
  /** Publications that a full queue has refused and that are tried again, and the routing key of one of them. */
  readonly refused: number
  readonly refusedKey: string | undefined
  readonly consumers: readonly ConsumerStats[]
}

export interface BrokerConnection extends AsyncDisposable {
  readonly state: BrokerState
  stats(): BrokerStats
  /**
   * Publishes a message and resolves once the broker confirmed it. Waits while the broker is away or blocks us, repeats what
   * was not confirmed: the message may arrive twice, it is never lost.
   * @throws ZodError for a field that is not what the schema says; PermanentError `unroutable`, `message-too-large`;
   * RetryableError `publish-refused`; the reason of the signal.
   */
  publish<T extends MessageType>(
    type: T,
    fields: Omit<MessageOf<T>, 'type' | 'version' | 'messageId' | 'at'>,
    options: PublishOptions,
  ): Promise<void>
  /** Handles what arrives in the inboxes of a service, urgent first; resolves once the broker delivers from all of them. */
  consume(options: ConsumerOptions): Promise<Consumer>
  /** The queues and exchanges of a service that are not there, and those that the user has no rights to, in words. */
  findMissingTopology(service: ServiceName, signal: AbortSignal): Promise<string[]>
  /** A channel of one's own beside the consumers', to browse queues with. The caller closes it. */
  openChannel(signal: AbortSignal): Promise<Channel>
  /** Publishes bytes as they are, confirmed and mandatory, with the same guarantees as `publish`. For replaying dead letters. */
  publishRaw(publication: RawPublication, signal: AbortSignal): Promise<void>
}

export type RawPublication = {
  readonly exchange: string
  readonly routingKey: string
  readonly content: Buffer
  readonly messageId: string
  readonly type: string
  /** Default application/json. */
  readonly contentType?: string | undefined
  /** Header tables; what the broker wrote itself (`x-death` and its kin) must be stripped first. */
  readonly headers: Readonly<Record<string, string | number>>
}
