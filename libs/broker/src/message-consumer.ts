import { setTimeout as delay } from 'node:timers/promises'
import { LANES, type Lane, later, type Message, type Outcome, RetryableError } from '@gatehouse/messages'
import type { Tracer } from '@gatehouse/tracing'
import type { BrokerOptions, Consumer, ConsumerOptions, ConsumerStats, MessageContext, RetryPolicy } from './broker-options.ts'
import { ConcurrencyLimit } from './concurrency-limit.ts'
import type { DeliveringChannel } from './delivering-channel.ts'
import { type Dependency, type Hold, readHold } from './dependency.ts'
import { Fifo } from './fifo.ts'
import { holdConsumption } from './hold-consumption.ts'
import { LaneTurns } from './lane-turns.ts'
import { readFacts } from './message-headers.ts'
import { contextOf, type Run, signalOf, subjectOf } from './message-run.ts'
import { noteSettled } from './note-settled.ts'
import { type Ending, planOutcome } from './plan-outcome.ts'
import type { Publisher } from './publisher.ts'
import type { Delivery } from './queue-subscription.ts'
import { QueueSubscriptions } from './queue-subscriptions.ts'
import { readDelivery } from './read-delivery.ts'
import { type SettleDependencies, settleDelivery } from './settle-delivery.ts'
import { startProcessSpan } from './start-process-span.ts'
import type { SupervisedConnection } from './supervised-connection.ts'
import { settlesWithin } from './wait-for.ts'

type AnyHandler = (message: Message, context: MessageContext, signal: AbortSignal) => Promise<Outcome>

const DRAIN_MS = 20_000
/** A handler that does not let go after its signal was aborted is left behind: its message must not wait for it. */
const LET_GO_MS = 5_000
const SWEEP_MS_MAX = 1_000

/**
 * Handles the deliveries of all queues of a service: at most as many at once as the concurrency limit says, urgent first, each
 * through `planOutcome` and `settleDelivery`. Takes none while a dependency is paused.
 */
export class MessageConsumer implements Consumer {
  private readonly options: ConsumerOptions
  private readonly handlers: Readonly<Record<string, AnyHandler | undefined>>
  private readonly policy: RetryPolicy
  private readonly brokerOptions: BrokerOptions
  private readonly settle: SettleDependencies
  private readonly tracer: Tracer
  private readonly onClosed: (consumer: MessageConsumer) => void
  private readonly giveUp = new AbortController()
  private readonly subscriptions: QueueSubscriptions
  private readonly limit: ConcurrencyLimit
  private readonly dependencies: readonly Dependency[]
  private readonly waiting: { readonly [L in Lane]: Fifo<Delivery> } = { urgent: new Fifo(), bulk: new Fifo() }
  private readonly running = new Set<Run>()
  private readonly turns = new LaneTurns()
  private readonly sweep: NodeJS.Timeout
  private readonly clock: { readonly random: () => number; ms: number }
  private readonly nowMs: () => number
  private runningBulk = 0
  /** Slots taken, by runs and by deliveries that are being settled without a handler. */
  private busy = 0
  private handled = 0
  private isStopping = false
  /** Away from the queues because of a dependency; resolves when it has come back to them. */
  private holding: Promise<void> | undefined
  private wasHeld = false
  private probing: { readonly delivery: Delivery; readonly resolve: () => void } | undefined
  /** Aborted when it stops: whoever only waits waits no longer. */
  private readonly hurry = new AbortController()
  private idle: PromiseWithResolvers<void> | undefined
  private stopped: Promise<void> | undefined

  constructor(
    options: ConsumerOptions,
    deps: {
      connection: SupervisedConnection
      publisher: Publisher
      broker: BrokerOptions
      policy: RetryPolicy
      tracer: Tracer
      closed: (consumer: MessageConsumer) => void
    },
  ) {
    this.options = options
    this.handlers = options.handlers as Readonly<Record<string, AnyHandler | undefined>>
    this.brokerOptions = deps.broker
    this.policy = deps.policy
    this.tracer = deps.tracer
    this.onClosed = deps.closed
    const random = deps.broker.random ?? Math.random
    this.clock = { random, ms: 0 }
    const now = deps.broker.now ?? (() => new Date())
    this.nowMs = () => now().getTime()
    this.settle = {
      service: options.service,
      send: (outgoing, signal) => deps.publisher.send(outgoing, signal),
      log: deps.broker.log,
      metrics: deps.broker.metrics,
      now,
      signal: this.giveUp.signal,
    }
    this.limit = options.limit ?? new ConcurrencyLimit({ ceiling: options.concurrency, now: () => performance.now() })
    this.dependencies = [...(deps.broker.dependencies ?? []), ...(options.dependencies ?? [])]
    this.subscriptions = new QueueSubscriptions({
      connection: deps.connection,
      service: options.service,
      prefetch: prefetchOf(options.concurrency, deps.broker.prefetchMax),
      random,
      deliver: (delivery) => this.receive(delivery),
      lost: (channel) => this.forget(channel),
    })
    this.sweep = setInterval(() => this.interruptOverdue(), Math.min(SWEEP_MS_MAX, options.handlerTimeoutMs / 4))
    this.sweep.unref()
  }

  /** A consumer that is held before all its queues were subscribed is as ready as it can be. */
  async ready(): Promise<void> {
    try {
      await this.subscriptions.ready()
    } catch (error) {
      if (!this.wasHeld) throw error
    }
  }

  stats(): ConsumerStats {
    const hold = this.readHold()
    const waiting = LANES.flatMap((lane) => [...this.waiting[lane]])
    const inHand = [...Array.from(this.running, (run) => run.delivery), ...waiting]
    return {
      service: this.options.service,
      running: this.busy,
      waiting: this.waiting.urgent.size + this.waiting.bulk.size,
      subscribed: this.subscriptions.subscribed,
      limit: this.limit.current,
      ceiling: this.limit.ceiling,
      handled: this.handled,
      held: hold.kind === 'none' ? undefined : { by: hold.name, isProbing: hold.kind === 'halfOpen', ...hold.pause },
      oldestReceivedAt: oldestOf(inHand.map((delivery) => delivery.receivedAt.getTime())),
      oldestSentAt: oldestOf(inHand.map(({ raw }) => Number(raw.properties.timestamp) * 1_000)),
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.stopped ??= this.stop()
    await this.stopped
  }

  private receive(delivery: Delivery): void {
    // Our cancelling is on its way on the same channel before this, so that it does not come straight back.
    if (this.isStopping || this.holding !== undefined) {
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
    if (this.holding !== undefined || this.isStopping) return
    const hold = this.readHold()
    if (hold.kind === 'held') {
      this.beginHold(hold)
      return
    }
    const slots = hold.kind === 'halfOpen' ? 1 : this.limit.current
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
      this.begin(delivery, hold.kind === 'halfOpen')
    }
  }

  private begin(delivery: Delivery, isProbe = false): void {
    this.busy += 1
    if (delivery.lane === 'bulk') this.runningBulk += 1
    const read = readDelivery(delivery.raw.content)
    const facts = readFacts(delivery.raw.properties.headers)
    const run: Run = {
      delivery,
      controller: new AbortController(),
      startedAt: performance.now(),
      facts,
      subject: read.kind === 'message' ? subjectOf(read.message) : {},
      span: startProcessSpan(delivery, facts, this.tracer),
      isProbe,
      timedOutAt: undefined,
      isFinished: false,
    }
    this.running.add(run)
    const handle = read.kind === 'message' ? this.handlers[read.message.type] : undefined
    if (read.kind !== 'message' || handle === undefined) {
      this.finish(run, read.kind === 'message' ? { kind: 'unknown', reason: 'no-handler' } : read)
      return
    }
    const context = contextOf(run, read.message.messageId)
    const handling = this.tracer.within(run.span, () => Promise.try(handle, read.message, context, run.controller.signal))
    handling.then(
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

  private finish(run: Run, ended: Ending): void {
    if (run.isFinished) return
    run.isFinished = true
    this.clock.ms = Date.now()
    this.limit.ended(signalOf(run, ended), { startedAt: run.startedAt, inHand: this.busy })
    const ending = this.blameDependency(run, ended)
    const verdict = planOutcome(ending, run.facts, this.policy, this.clock)
    const settle = () => settleDelivery(verdict, run, this.settle)
    // An acknowledgement logs nothing, and entering a span is not free.
    const settling = verdict.kind === 'acknowledge' ? settle() : this.tracer.within(run.span, settle)
    settling.then(
      (outcome) => {
        noteSettled({ run, verdict, outcome }, this.brokerOptions)
        this.release(run)
      },
      (error) => {
        const { messageId } = run.delivery.raw.properties
        this.brokerOptions.log.error({ err: error, queue: run.delivery.queue, messageId }, 'Cannot settle a message')
        this.release(run)
      },
    )
  }

  /** What failed because a dependency is down waits without having spent an attempt, and keeps the others from trying. */
  private blameDependency(run: Run, ending: Ending): Ending {
    if (ending.kind === 'interrupted' || run.timedOutAt !== undefined) return ending
    if (ending.kind === 'threw')
      for (const dependency of this.dependencies) {
        const waitMs = dependency.failed?.(ending.error)
        if (waitMs === undefined) continue
        this.noticeHold(ending.error)
        return { kind: 'answered', outcome: later(waitMs, pausedReasonOf(dependency.name)) }
      }
    if (run.isProbe && (ending.kind === 'answered' || ending.kind === 'threw'))
      for (const dependency of this.dependencies) dependency.probed?.(ending.kind === 'answered' ? ending.outcome : undefined)
    this.noticeHold()
    return ending
  }

  private readHold(): Hold {
    return readHold(this.dependencies, this.nowMs)
  }

  private noticeHold(error?: unknown): void {
    if (this.holding !== undefined || this.isStopping || this.dependencies.length === 0) return
    const hold = this.readHold()
    if (hold.kind === 'held') this.beginHold(hold, error)
  }

  private beginHold(hold: Hold & { kind: 'held' }, error?: unknown): void {
    const { log } = this.brokerOptions
    const { service } = this.options
    const { untilMs, reason } = hold.pause
    const fields = { service, dependency: hold.name, untilMs, reason }
    log.warn(error === undefined ? fields : { ...fields, err: error }, 'Takes no messages: a dependency does not answer')
    this.wasHeld = true
    this.holding = holdConsumption(
      {
        read: () => this.readHold(),
        nowMs: this.nowMs,
        sleep: (ms, signal) => delay(ms, undefined, { signal }).catch(() => {}),
        cancel: async () => {
          await this.subscriptions.cancel()
          this.giveWaitingBack()
          this.letChannelsGo()
        },
        probe: (signal) => this.probe(signal),
        resume: () => {
          log.info({ service, dependency: hold.name }, 'Takes messages again')
          this.holding = undefined
          this.subscriptions.resume()
        },
      },
      this.hurry.signal,
    )
  }

  /** The one message that goes first, to its end. */
  private async probe(signal: AbortSignal): Promise<boolean> {
    const delivery = await this.subscriptions.takeOne(signal).catch((error: unknown) => {
      if (!signal.aborted) this.brokerOptions.log.warn({ err: error }, 'Cannot take a message')
      return undefined
    })
    this.letChannelsGo(delivery?.channel)
    if (delivery === undefined) return false
    if (signal.aborted) {
      delivery.channel.giveBack(delivery.raw)
      return false
    }
    const { promise, resolve } = Promise.withResolvers<void>()
    this.probing = { delivery, resolve }
    this.begin(delivery, true)
    await promise
    return true
  }

  private giveWaitingBack(): void {
    for (const lane of LANES)
      for (const delivery of this.waiting[lane].keep(() => false)) delivery.channel.giveBack(delivery.raw)
  }

  private letChannelsGo(inHand?: DeliveringChannel): void {
    this.subscriptions.release((owns) => {
      if (inHand !== undefined && owns(inHand)) return true
      for (const run of this.running) if (owns(run.delivery.channel)) return true
      return false
    })
  }

  private release(run: Run): void {
    run.span.end()
    this.running.delete(run)
    this.busy -= 1
    this.handled += 1
    if (run.delivery.lane === 'bulk') this.runningBulk -= 1
    this.letChannelsGo()
    if (this.probing?.delivery === run.delivery) this.probing.resolve()
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
    this.hurry.abort(new DOMException('The worker is stopping', 'AbortError'))
    await this.subscriptions.cancel()
    this.giveWaitingBack()
    this.idle = Promise.withResolvers()
    if (this.busy === 0) this.idle.resolve()
    const isDrained = await settlesWithin(this.idle.promise, this.options.drainMs ?? DRAIN_MS)
    if (!isDrained) await this.interruptAll(this.idle.promise)
    clearInterval(this.sweep)
    if (this.holding !== undefined) await settlesWithin(this.holding, LET_GO_MS)
    await this.subscriptions.close()
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

/** A metric label, and what the message's copy in the ladder says it waits for. */
function pausedReasonOf(name: string): string {
  return `${name.toLowerCase().replace(/[^a-z0-9]+/g, '-')}-paused`
}

function oldestOf(times: readonly number[]): number | undefined {
  let oldest: number | undefined
  for (const time of times) if (!Number.isNaN(time) && (oldest === undefined || time < oldest)) oldest = time
  return oldest
}

/** Half as much again as can be handled, so that no slot waits for the network; not more, since other copies could take it. */
function prefetchOf(concurrency: number, prefetchMax: number): number {
  return Math.min(prefetchMax, concurrency + Math.max(4, Math.ceil(concurrency / 2)))
}
