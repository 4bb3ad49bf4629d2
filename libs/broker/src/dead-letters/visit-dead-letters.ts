import { setTimeout as delay } from 'node:timers/promises'
import { abortReason, PermanentError, RetryableError } from '@gatehouse/messages'
import type { Channel, ConsumeMessage } from 'amqplib'
import type { BrokerConnection } from '../broker-options.ts'
import { DeliveringChannel } from '../delivering-channel.ts'
import { settlesWithin } from '../wait-for.ts'
import { type DeadLetter, type DeadLetterSource, letterQueueOf, toDeadLetter } from './dead-letter.ts'

/** `leave`: it stays where it is. `take`: it is somewhere else now, and acknowledged here. `stop`: it stays, and no more are wanted. */
export type LetterVerdict = 'leave' | 'take' | 'stop'

export type VisitOptions = {
  readonly source: DeadLetterSource
  /**
   * Letters in hand at once, 1 to 10,000; what is left where it is does not count. Default 1,000. 0: no window, for a visit that
   * takes nothing and answers at once; then up to 65,535 letters are in the same order afterwards.
   */
  readonly windowMax?: number
  /**
   * Called for each letter, oldest first. A promise holds a place in the window until it settles; one that rejects leaves the
   * letter and ends the visit with its error.
   */
  readonly visit: (letter: DeadLetter) => LetterVerdict | Promise<LetterVerdict>
}

export type VisitResult = {
  /** Letters that were there to be had when the visit began. */
  readonly total: number
  readonly seen: number
  readonly taken: number
  /** Who else consumed the queue when the walk began; they may hold letters that it did not see. */
  readonly others: number
}

const WINDOW_DEFAULT = 1_000
const WINDOW_MAX = 10_000
/** AMQP's prefetch count is a 16-bit number. None, or 0, does not mean all: a quorum queue takes it for 2,000 (rabbit_quorum_queue.erl). */
const PREFETCH_MAX = 65_535
/** A queue that delivers nothing for this long is asked whether it has anything left. */
const SILENCE_MS = 500
/** Another visitor holds what the queue promised, or it is stuck: it is not waited for longer. */
const SILENCE_MS_MAX = 10_000
/** For what was held to be ready again; it takes some milliseconds, unless somebody else takes it at once. */
const GIVE_BACK_MS = 1_000
const GIVE_BACK_POLL_MS = 2
/** For what is in hand when a visit ends early. */
const LET_GO_MS = 10_000

/**
 * Walks through a dead queue once, from its oldest letter to the last one that was there when the walk began. What is left stays
 * in its place: it is held, unacknowledged, until the walk ends and then given back once, which the queue's delivery limit of a
 * million allows; the management API's "get" would cost a delivery each. Since a held letter fills the consumer's prefetch, a
 * new consumer is opened on the same channel whenever most of the window is held: so neither memory nor window grows with the queue.
 *
 * Two walks through one queue at the same time each see a part of it: the caller sees to it that only one takes anything.
 * @throws PermanentError `limit-invalid`; RetryableError `dead-letters-interrupted` when the channel is lost, with everything
 * that was not taken back in its place; the reason of the signal; whatever `visit` rejects with.
 */
export async function visitDeadLetters(
  broker: Pick<BrokerConnection, 'openChannel'>,
  options: VisitOptions,
  signal: AbortSignal,
): Promise<VisitResult> {
  const { windowMax = WINDOW_DEFAULT } = options
  if (!Number.isInteger(windowMax) || windowMax < 0 || windowMax > WINDOW_MAX)
    throw new PermanentError('limit-invalid', `windowMax must be 0 to ${WINDOW_MAX}, not ${windowMax}`)
  const channel = await broker.openChannel(signal)
  let walk: Walk | undefined
  try {
    const { messageCount, consumerCount } = await channel.checkQueue(letterQueueOf(options.source))
    if (messageCount === 0) return { total: 0, seen: 0, taken: 0, others: consumerCount }
    const [prefetch, heldMax] =
      windowMax === 0 ? [Math.min(messageCount, PREFETCH_MAX), PREFETCH_MAX] : [windowMax, Math.ceil(windowMax / 2)]
    walk = new Walk(channel, { ...options, prefetch, heldMax, total: messageCount, others: consumerCount })
    return await walk.run(signal)
  } finally {
    await channel.close().catch(() => {})
    if (walk !== undefined && walk.heldCount > 0) await waitForGivenBack(broker, { ...options, count: walk.heldCount }, signal)
  }
}

/**
 * Waits until what was held is there again, so that whoever looks next finds it: a queue learns that a channel is closed a moment
 * after the channel's user does. (Giving back by nack instead would be heard at once, and shuffle the letters.)
 */
async function waitForGivenBack(
  broker: Pick<BrokerConnection, 'openChannel'>,
  { source, count }: { source: DeadLetterSource; count: number },
  signal: AbortSignal,
): Promise<void> {
  try {
    const channel = await broker.openChannel(signal)
    const deadline = performance.now() + GIVE_BACK_MS
    for (;;) {
      const { messageCount } = await channel.checkQueue(letterQueueOf(source))
      if (messageCount >= count || performance.now() > deadline) break
      await delay(GIVE_BACK_POLL_MS, undefined, { signal })
    }
    await channel.close()
  } catch {
    // The broker is away or nobody waits any more: it gives back what was held all the same.
  }
}

class Walk {
  private readonly channel: Channel
  private readonly delivering: DeliveringChannel
  private readonly options: VisitOptions & { prefetch: number; heldMax: number; total: number; others: number }
  private readonly queue: string
  private readonly end = Promise.withResolvers<void>()
  private readonly failure = Promise.withResolvers<never>()
  private readonly inHand = new Set<Promise<void>>()
  private consumerTag: string | undefined
  private isRenewing = false
  /** Of the running consumer, left in their places. */
  private held = 0
  private delivered = 0
  private seen = 0
  private taken = 0
  private isOver = false
  private silentMs = 0
  private silence: NodeJS.Timeout | undefined

  constructor(channel: Channel, options: Walk['options']) {
    this.channel = channel
    this.options = options
    this.queue = letterQueueOf(options.source)
    this.delivering = new DeliveringChannel(channel)
    // It may fail before anybody waits for it.
    this.failure.promise.catch(() => {})
    let cause: Error | undefined
    channel.on('error', (error) => {
      cause = error
    })
    channel.on('close', () => {
      this.delivering.isOpen = false
      const why = cause === undefined ? 'the connection was lost' : cause.message
      this.fail(
        new RetryableError('dead-letters-interrupted', `RabbitMQ closed the channel to ${this.queue}: ${why}`, { cause }),
      )
    })
  }

  /** Delivered, and not taken away. */
  get heldCount(): number {
    return this.delivered - this.taken
  }

  async run(signal: AbortSignal): Promise<VisitResult> {
    const abort = (): void => this.fail(abortReason(signal))
    signal.addEventListener('abort', abort)
    this.silence = setInterval(() => this.noticeSilence(), SILENCE_MS)
    try {
      await Promise.race([this.walk(), this.failure.promise])
    } finally {
      this.isOver = true
      clearInterval(this.silence)
      signal.removeEventListener('abort', abort)
      // What is on its way elsewhere arrives there: unacknowledged here it would be there twice.
      await settlesWithin(Promise.allSettled(this.inHand), LET_GO_MS)
      this.delivering.flush()
    }
    const { total, others } = this.options
    return { total, seen: this.seen, taken: this.taken, others }
  }

  private async walk(): Promise<void> {
    await this.subscribe()
    await this.end.promise
    await Promise.all(this.inHand)
  }

  private async subscribe(): Promise<void> {
    this.held = 0
    await this.channel.prefetch(this.options.prefetch)
    const { consumerTag } = await this.channel.consume(this.queue, (raw) => this.receive(raw))
    this.consumerTag = consumerTag
  }

  private receive(raw: ConsumeMessage | null): void {
    if (raw === null) {
      this.fail(new RetryableError('dead-letters-interrupted', `RabbitMQ stopped delivering ${this.queue}`))
      return
    }
    this.silentMs = 0
    this.delivered += 1
    if (this.isOver || this.seen >= this.options.total) return
    this.seen += 1
    const verdict = this.options.visit(toDeadLetter(raw, this.options.source))
    if (typeof verdict === 'string') {
      this.settle(raw, verdict)
      return
    }
    const settling = verdict.then(
      (later) => this.settle(raw, later),
      (error) => {
        this.settle(raw, 'leave')
        this.fail(error)
      },
    )
    this.inHand.add(settling)
    settling.then(
      () => this.inHand.delete(settling),
      () => {},
    )
    this.noticeEnd()
  }

  private settle(raw: ConsumeMessage, verdict: LetterVerdict): void {
    if (verdict === 'take') this.taken += this.delivering.ack(raw) ? 1 : 0
    else this.held += 1
    if (verdict === 'stop') this.finish()
    this.noticeEnd()
    if (!this.isOver && this.held >= this.options.heldMax) this.renew()
  }

  private noticeEnd(): void {
    if (this.seen >= this.options.total) this.finish()
  }

  /** What the cancelled consumer holds stays held by the channel; the next one has an empty window. */
  private renew(): void {
    if (this.isRenewing || this.consumerTag === undefined) return
    this.isRenewing = true
    this.channel
      .cancel(this.consumerTag)
      .then(() => (this.isOver ? undefined : this.subscribe()))
      .catch((error) => this.fail(error))
      .finally(() => {
        this.isRenewing = false
      })
  }

  private noticeSilence(): void {
    if (this.inHand.size > 0 || this.isOver) return
    this.silentMs += SILENCE_MS
    if (this.silentMs <= SILENCE_MS) return
    if (this.silentMs > SILENCE_MS_MAX) this.finish()
    else this.askForMore()
  }

  private askForMore(): void {
    this.channel.checkQueue(this.queue).then(
      ({ messageCount }) => {
        if (messageCount === 0 && this.silentMs > 0) this.finish()
      },
      () => {},
    )
  }

  private finish(): void {
    this.isOver = true
    this.end.resolve()
  }

  private fail(error: unknown): void {
    this.isOver = true
    this.failure.reject(error)
  }
}
