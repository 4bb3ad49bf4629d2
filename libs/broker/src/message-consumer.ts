import { LANES, type Lane, type Message, type Outcome, RetryableError } from '@gatehouse/messages'
import type { BrokerOptions, Consumer, ConsumerOptions, MessageContext, RetryPolicy } from './broker-options.ts'
import type { DeliveringChannel } from './delivering-channel.ts'
import { Fifo } from './fifo.ts'
import { LaneTurns } from './lane-turns.ts'
import { readFacts } from './message-headers.ts'
import { type Ending, planOutcome } from './plan-outcome.ts'
import type { Publisher } from './publisher.ts'
import { type Delivery, QueueSubscription } from './queue-subscription.ts'
import { readDelivery } from './read-delivery.ts'
import { type SettleDependencies, settleDelivery } from './settle-delivery.ts'
import type { SupervisedConnection } from './supervised-connection.ts'
import { dueQueueOf, inboxOf } from './topology-names.ts'
import { settlesWithin } from './wait-for.ts'

type AnyHandler = (message: Message, context: MessageContext, signal: AbortSignal) => Promise<Outcome>

type Run = {
  readonly delivery: Delivery
  readonly controller: AbortController
  readonly startedAt: number
  readonly facts: ReturnType<typeof readFacts>
  timedOutAt: number | undefined
  isFinished: boolean
}

const DRAIN_MS = 20_000
/** A handler that does not let go after its signal was aborted is left behind: its message must not wait for it. */
const LET_GO_MS = 5_000
const SWEEP_MS_MAX = 1_000

/**
 * Handles the deliveries of all queues of a service: at most `concurrency` at once, urgent first, each through `planOutcome`
 * and `settleDelivery`.
 */
export class MessageConsumer implements Consumer {
  private readonly options: ConsumerOptions
  private readonly handlers: Readonly<Record<string, AnyHandler | undefined>>
  private readonly policy: RetryPolicy
  private readonly brokerOptions: BrokerOptions
  private readonly settle: SettleDependencies
  private readonly onClosed: (consumer: MessageConsumer) => void
  private readonly giveUp = new AbortController()
  private readonly subscriptions: QueueSubscription[]
  private readonly waiting: { readonly [L in Lane]: Fifo<Delivery> } = { urgent: new Fifo(), bulk: new Fifo() }
  private readonly running = new Set<Run>()
  private readonly turns = new LaneTurns()
  private readonly sweep: NodeJS.Timeout
  private readonly clock: { readonly random: () => number; ms: number }
  private runningBulk = 0
  /** Slots taken, by runs and by deliveries that are being settled without a handler. */
  private busy = 0
  private isStopping = false
  private idle: PromiseWithResolvers<void> | undefined
  private stopped: Promise<void> | undefined

  constructor(
    options: ConsumerOptions,
    deps: {
      connection: SupervisedConnection
      publisher: Publisher
      broker: BrokerOptions
      policy: RetryPolicy
      closed: (consumer: MessageConsumer) => void
    },
  ) {
    this.options = options
    this.handlers = options.handlers as Readonly<Record<string, AnyHandler | undefined>>
    this.brokerOptions = deps.broker
    this.policy = deps.policy
    this.onClosed = deps.closed
    const random = deps.broker.random ?? Math.random
    this.clock = { random, ms: 0 }
    this.settle = {
      service: options.service,
      send: (outgoing, signal) => deps.publisher.send(outgoing, signal),
      log: deps.broker.log,
      metrics: deps.broker.metrics,
      now: deps.broker.now ?? (() => new Date()),
      signal: this.giveUp.signal,
    }
    const prefetch = prefetchOf(options.concurrency, deps.broker.prefetchMax)
    const queues = LANES.flatMap((lane) =>
      [inboxOf, dueQueueOf].map((nameOf) => ({ lane, queue: nameOf(options.service, lane) })),
    )
    this.subscriptions = queues.map(
      ({ lane, queue }) =>
        new QueueSubscription({
          connection: deps.connection,
          queue,
          lane,
          prefetch,
          random,
          deliver: (delivery) => this.receive(delivery),
          lost: (channel) => this.forget(channel),
        }),
    )
    this.sweep = setInterval(() => this.interruptOverdue(), Math.min(SWEEP_MS_MAX, options.handlerTimeoutMs / 4))
    this.sweep.unref()
  }

  async ready(): Promise<void> {
    await Promise.all(this.subscriptions.map((subscription) => subscription.ready()))
  }

  stats(): { running: number; waiting: number; subscribed: number } {
    return {
      running: this.busy,
      waiting: this.waiting.urgent.size + this.waiting.bulk.size,
      subscribed: this.subscriptions.filter((subscription) => subscription.isSubscribed).length,
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.stopped ??= this.stop()
    await this.stopped
  }

  private receive(delivery: Delivery): void {
    if (this.isStopping) {
      delivery.channel.giveBack(delivery.raw)
      return
    }
    this.waiting[delivery.lane].push(delivery)
    this.pump()
  }

  /** The broker delivers what was on a lost channel again; what had not begun is dropped here. */
  private forget(channel: DeliveringChannel): void {
    for (const lane of LANES) this.waiting[lane].keep((delivery) => delivery.channel !== channel)
  }

  private pump(): void {
    const slots = this.options.concurrency
    while (this.busy < slots && !this.isStopping) {
      const lane = this.turns.next({
        waitingUrgent: this.waiting.urgent.size,
        waitingBulk: this.waiting.bulk.size,
        runningBulk: this.runningBulk,
        freeSlots: slots - this.busy,
        slots,
      })
      const delivery = lane === undefined ? undefined : this.waiting[lane].shift()
      if (delivery === undefined) return
      this.begin(delivery)
    }
  }

  private begin(delivery: Delivery): void {
    this.busy += 1
    if (delivery.lane === 'bulk') this.runningBulk += 1
    const run: Run = {
      delivery,
      controller: new AbortController(),
      startedAt: performance.now(),
      facts: readFacts(delivery.raw.properties.headers),
      timedOutAt: undefined,
      isFinished: false,
    }
    this.running.add(run)
    const read = readDelivery(delivery.raw.content)
    const handle = read.kind === 'message' ? this.handlers[read.message.type] : undefined
    if (read.kind !== 'message' || handle === undefined) {
      this.finish(run, read.kind === 'message' ? { kind: 'unknown', reason: 'no-handler' } : read)
      return
    }
    callHandler(handle, read.message, contextOf(run, read.message.messageId), run.controller.signal).then(
      (outcome) => this.finish(run, { kind: 'answered', outcome }),
      (error) => this.finish(run, this.endingOf(run, error)),
    )
  }

  private endingOf(run: Run, error: unknown): Ending {
    if (run.timedOutAt !== undefined) return { kind: 'threw', error: this.timeoutError() }
    const isAbort = error instanceof Error && error.name === 'AbortError'
    if (this.isStopping && (isAbort || run.controller.signal.aborted)) return { kind: 'interrupted' }
    return { kind: 'threw', error }
  }

  private finish(run: Run, ending: Ending): void {
    if (run.isFinished) return
    run.isFinished = true
    this.clock.ms = Date.now()
    const verdict = planOutcome(ending, run.facts, this.policy, this.clock)
    settleDelivery(verdict, run.delivery, run.facts.attempt, this.settle).then(
      (outcome) => {
        const { type } = run.delivery.raw.properties
        this.brokerOptions.metrics?.handled?.(String(type), outcome, (performance.now() - run.startedAt) / 1000)
        this.release(run)
      },
      (error) => {
        this.brokerOptions.log.error({ err: error, queue: run.delivery.queue }, 'Cannot settle a message')
        this.release(run)
      },
    )
  }

  private release(run: Run): void {
    this.running.delete(run)
    this.busy -= 1
    if (run.delivery.lane === 'bulk') this.runningBulk -= 1
    if (this.busy === 0) this.idle?.resolve()
    this.pump()
  }

  /** One timer for all: runs are in the order in which they began. */
  private interruptOverdue(): void {
    const now = performance.now()
    for (const run of this.running) {
      if (now - run.startedAt < this.options.handlerTimeoutMs) return
      if (run.timedOutAt === undefined) {
        run.timedOutAt = now
        run.controller.abort(this.timeoutError())
      } else if (now - run.timedOutAt > LET_GO_MS) this.finish(run, { kind: 'threw', error: this.timeoutError() })
    }
  }

  private timeoutError(): RetryableError {
    return new RetryableError('handler-timeout', `The handler took longer than ${this.options.handlerTimeoutMs} ms`)
  }

  private async stop(): Promise<void> {
    this.isStopping = true
    await Promise.all(this.subscriptions.map((subscription) => subscription.cancel()))
    for (const lane of LANES)
      for (const delivery of this.waiting[lane].keep(() => false)) delivery.channel.giveBack(delivery.raw)
    this.idle = Promise.withResolvers()
    if (this.busy === 0) this.idle.resolve()
    const isDrained = await settlesWithin(this.idle.promise, this.options.drainMs ?? DRAIN_MS)
    if (!isDrained) await this.interruptAll(this.idle.promise)
    clearInterval(this.sweep)
    await Promise.all(this.subscriptions.map((subscription) => subscription.close()))
    this.onClosed(this)
  }

  private async interruptAll(idle: Promise<void>): Promise<void> {
    const reason = new DOMException('The worker is stopping', 'AbortError')
    for (const run of this.running) run.controller.abort(reason)
    this.giveUp.abort(reason)
    if (await settlesWithin(idle, LET_GO_MS)) return
    for (const run of this.running) this.finish(run, { kind: 'interrupted' })
  }
}

async function callHandler(
  handle: AnyHandler,
  message: Message,
  context: MessageContext,
  signal: AbortSignal,
): Promise<Outcome> {
  return await handle(message, context, signal)
}

function contextOf({ delivery, facts }: Run, messageId: string): MessageContext {
  return {
    messageId,
    lane: delivery.lane,
    attempt: facts.attempt,
    receivedAt: delivery.receivedAt,
    redelivered: delivery.raw.fields.redelivered,
    ...(facts.firstFailedAt === undefined ? {} : { firstFailedAt: facts.firstFailedAt }),
    ...(facts.traceparent === undefined ? {} : { traceparent: facts.traceparent }),
  }
}

/** Half as much again as can be handled, so that no slot waits for the network; not more, since other copies could take it. */
function prefetchOf(concurrency: number, prefetchMax: number): number {
  return Math.min(prefetchMax, concurrency + Math.max(4, Math.ceil(concurrency / 2)))
}
