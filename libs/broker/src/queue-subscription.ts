import type { Lane } from '@gatehouse/messages'
import type { Channel, ConsumeMessage } from 'amqplib'
import { DeliveringChannel } from './delivering-channel.ts'
import { keepChannel } from './keep-channel.ts'
import type { SupervisedConnection } from './supervised-connection.ts'
import { settlesWithin } from './wait-for.ts'

/** One message in hand. It can only be settled on the channel that delivered it. */
export type Delivery = {
  readonly raw: ConsumeMessage
  readonly channel: DeliveringChannel
  readonly queue: string
  readonly lane: Lane
  readonly receivedAt: Date
}

const CANCEL_TIMEOUT_MS = 5_000

/**
 * Delivers from one queue for as long as it lives: subscribes again after the connection or the channel was lost and after
 * the broker cancelled the consumer. Each queue has a channel of its own, so that a missing queue costs only itself.
 */
export class QueueSubscription {
  readonly queue: string
  private readonly connection: SupervisedConnection
  private readonly lane: Lane
  private readonly prefetch: number
  private readonly deliver: (delivery: Delivery) => void
  private readonly onLost: (channel: DeliveringChannel) => void
  private readonly stopping = new AbortController()
  private readonly started = Promise.withResolvers<void>()
  private readonly loop: Promise<void>
  private channel: Channel | undefined
  private delivering: DeliveringChannel | undefined
  private consumerTag: string | undefined

  constructor(options: {
    connection: SupervisedConnection
    queue: string
    lane: Lane
    prefetch: number
    random: () => number
    deliver: (delivery: Delivery) => void
    lost: (channel: DeliveringChannel) => void
  }) {
    this.connection = options.connection
    this.queue = options.queue
    this.lane = options.lane
    this.prefetch = options.prefetch
    this.deliver = options.deliver
    this.onLost = options.lost
    this.started.promise.catch(() => {})
    this.loop = keepChannel<Channel>(
      {
        connection: options.connection,
        purpose: `consume ${options.queue}`,
        open: (model) => model.createChannel(),
        start: (channel) => this.subscribe(channel),
        lost: () => this.lose(),
        random: options.random,
      },
      this.stopping.signal,
    ).finally(() => this.started.reject(new Error(`Stopped before ${options.queue} was subscribed`)))
  }

  get isSubscribed(): boolean {
    return this.consumerTag !== undefined
  }

  owns(channel: DeliveringChannel): boolean {
    return channel === this.delivering
  }

  /** Resolves when the broker delivers for the first time. */
  async ready(): Promise<void> {
    await this.started.promise
  }

  /** No delivery arrives after this; those in hand can still be settled. */
  async cancel(): Promise<void> {
    this.stopping.abort()
    const tag = this.consumerTag
    this.consumerTag = undefined
    if (tag !== undefined && this.channel !== undefined) await settlesWithin(cancelOn(this.channel, tag), CANCEL_TIMEOUT_MS)
  }

  /** Closes the channel: what is not settled goes back to the queue. */
  async close(): Promise<void> {
    this.stopping.abort()
    const { channel } = this
    if (this.delivering?.isOpen && channel !== undefined) {
      this.delivering.flush()
      this.delivering.isOpen = false
      await settlesWithin(
        Promise.resolve().then(() => channel.close()),
        CANCEL_TIMEOUT_MS,
      )
    }
    await settlesWithin(this.loop, CANCEL_TIMEOUT_MS)
  }

  private async subscribe(channel: Channel): Promise<void> {
    const delivering = new DeliveringChannel(channel, (flush) =>
      setImmediate(() => {
        this.connection.gatherWrites()
        flush()
      }),
    )
    this.channel = channel
    this.delivering = delivering
    // NOTE: applies to consumers that start later, never to a running one.
    await channel.prefetch(this.prefetch)
    const { consumerTag } = await channel.consume(this.queue, (raw) => {
      if (raw !== null) this.deliver({ raw, channel: delivering, queue: this.queue, lane: this.lane, receivedAt: new Date() })
      // The broker cancelled us: the queue was deleted or moved. The channel lives on, so it must be closed to start anew.
      else channel.close().catch(() => {})
    })
    if (this.stopping.signal.aborted) {
      channel.close().catch(() => {})
      return
    }
    this.consumerTag = consumerTag
    this.started.resolve()
  }

  private lose(): void {
    this.consumerTag = undefined
    if (this.delivering === undefined) return
    this.delivering.isOpen = false
    this.onLost(this.delivering)
  }
}

/** amqplib throws at once when the channel has just been lost; here that is a rejection, and the request leaves in this turn. */
async function cancelOn(channel: Channel, tag: string): Promise<void> {
  await channel.cancel(tag)
}
