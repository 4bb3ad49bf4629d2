import { LANES, type Lane } from '@gatehouse/messages'
import type { Channel } from 'amqplib'
import { DeliveringChannel } from './delivering-channel.ts'
import { type Delivery, QueueSubscription } from './queue-subscription.ts'
import type { ServiceName } from './service-names.ts'
import type { SupervisedConnection } from './supervised-connection.ts'
import { dueQueueOf, inboxOf } from './topology-names.ts'
import { settlesWithin } from './wait-for.ts'

export type QueueSubscriptionsOptions = {
  readonly connection: SupervisedConnection
  readonly service: ServiceName
  readonly prefetch: number
  readonly random: () => number
  readonly deliver: (delivery: Delivery) => void
  /** What was delivered on this channel is the broker's again. */
  readonly lost: (channel: DeliveringChannel) => void
}

type Retired = { readonly owns: (channel: DeliveringChannel) => boolean; readonly close: () => Promise<void> }

const CLOSE_TIMEOUT_MS = 5_000
const LANES_IN_TURN: readonly Lane[] = ['urgent', 'bulk']

/**
 * The subscriptions of a service to all of its queues. They can be given up and taken again; a channel that was given up stays
 * open until what it delivered is settled, which is possible on that channel only.
 */
export class QueueSubscriptions {
  private readonly options: QueueSubscriptionsOptions
  private current: QueueSubscription[] = []
  private retired: Retired[] = []
  private readonly closing = new Set<Promise<void>>()

  constructor(options: QueueSubscriptionsOptions) {
    this.options = options
    this.resume()
  }

  /** Resolves when the broker delivers from all queues for the first time. */
  async ready(): Promise<void> {
    await Promise.all(this.current.map((subscription) => subscription.ready()))
  }

  get subscribed(): number {
    return this.current.filter((subscription) => subscription.isSubscribed).length
  }

  /** No delivery arrives after this; those in hand can still be settled. */
  async cancel(): Promise<void> {
    const given = this.current
    this.current = []
    this.retired.push(...given)
    await Promise.all(given.map((subscription) => subscription.cancel()))
  }

  resume(): void {
    const { connection, service, prefetch, random, deliver, lost } = this.options
    this.current = queuesOf(service, LANES).map(
      ({ lane, queue }) => new QueueSubscription({ connection, queue, lane, prefetch, random, deliver, lost }),
    )
  }

  /**
   * Takes one message without subscribing: what a subscription delivers beyond the one that is wanted would have to be given
   * back, and RabbitMQ counts that towards taking it for poison. Undefined when there is none, or the broker is away.
   */
  async takeOne(signal: AbortSignal): Promise<Delivery | undefined> {
    const model = await this.options.connection.open(signal)
    const channel = await model.createChannel()
    const delivering = new DeliveringChannel(channel)
    channel.on('error', () => {})
    channel.on('close', () => {
      delivering.isOpen = false
    })
    for (const { lane, queue } of queuesOf(this.options.service, LANES_IN_TURN)) {
      const raw = await channel.get(queue)
      if (raw === false) continue
      this.retired.push({ owns: (one) => one === delivering, close: () => closeChannel(channel, delivering) })
      const fields = { ...raw.fields, consumerTag: '' }
      return { raw: { ...raw, fields }, channel: delivering, queue, lane, receivedAt: new Date() }
    }
    await closeChannel(channel, delivering)
    return undefined
  }

  /** Closes the channels that were given up and have nothing in hand. */
  release(isInHand: (owns: (channel: DeliveringChannel) => boolean) => boolean): void {
    if (this.retired.length === 0) return
    const free = this.retired.filter((one) => !isInHand((channel) => one.owns(channel)))
    this.retired = this.retired.filter((one) => !free.includes(one))
    for (const one of free) {
      const closing = one.close().finally(() => this.closing.delete(closing))
      this.closing.add(closing)
    }
  }

  /** Closes every channel: what is not settled goes back to its queue. */
  async close(): Promise<void> {
    const all = [...this.current, ...this.retired]
    this.current = []
    this.retired = []
    await Promise.all([...all.map((one) => one.close()), ...this.closing])
  }
}

/** What has waited longest first: in each lane, what was in hand before and comes back. */
function queuesOf(service: ServiceName, lanes: readonly Lane[]): { lane: Lane; queue: string }[] {
  return lanes.flatMap((lane) => [dueQueueOf, inboxOf].map((nameOf) => ({ lane, queue: nameOf(service, lane) })))
}

async function closeChannel(channel: Channel, delivering: DeliveringChannel): Promise<void> {
  if (!delivering.isOpen) return
  delivering.flush()
  delivering.isOpen = false
  await settlesWithin(
    Promise.resolve().then(() => channel.close()),
    CLOSE_TIMEOUT_MS,
  )
}
