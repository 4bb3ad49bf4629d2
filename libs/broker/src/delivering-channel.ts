import type { Channel, ConsumeMessage } from 'amqplib'

/**
 * A channel that delivers, and that may have been lost since: then its deliveries are the broker's again and settling them
 * here would be a protocol error. Acknowledgements of one turn of the event loop are sent together, as one where no
 * unsettled delivery lies between them.
 */
export class DeliveringChannel {
  isOpen = true
  private readonly channel: Pick<Channel, 'ack' | 'nack'>
  private readonly schedule: (flush: () => void) => void
  /** To be acknowledged at the end of this turn, by delivery tag. */
  private pending = new Map<number, ConsumeMessage>()
  /** Settled one by one although an earlier delivery is still in hand. */
  private readonly settled = new Set<number>()
  /** All deliveries up to this tag are settled. */
  private settledUpTo = 0

  constructor(channel: Pick<Channel, 'ack' | 'nack'>, schedule: (flush: () => void) => void = setImmediate) {
    this.channel = channel
    this.schedule = schedule
  }

  /** @returns false when the channel was lost, so that the message will come again. */
  ack(raw: ConsumeMessage): boolean {
    if (!this.isOpen) return false
    if (this.pending.size === 0) this.schedule(() => this.flush())
    this.pending.set(raw.fields.deliveryTag, raw)
    return true
  }

  /** Gives the message back to its place in the queue. */
  giveBack(raw: ConsumeMessage): boolean {
    this.settled.add(raw.fields.deliveryTag)
    return this.attempt(() => this.channel.nack(raw, false, true))
  }

  /** Sends what is to be acknowledged now. */
  flush(): void {
    const { pending } = this
    if (pending.size === 0) return
    this.pending = new Map()
    let last: ConsumeMessage | undefined
    for (;;) {
      const next = this.settledUpTo + 1
      const raw = pending.get(next)
      if (raw !== undefined) {
        last = raw
        pending.delete(next)
      } else if (!this.settled.delete(next)) break
      this.settledUpTo = next
    }
    // The tag that is named must be one that the broker still expects, hence the last pending one.
    const upTo = last
    if (upTo !== undefined) this.attempt(() => this.channel.ack(upTo, true))
    for (const [tag, raw] of pending) {
      this.settled.add(tag)
      this.attempt(() => this.channel.ack(raw))
    }
  }

  private attempt(act: () => void): boolean {
    if (!this.isOpen) return false
    try {
      act()
      return true
    } catch {
      // amqplib throws at once when the channel closed in this very turn.
      this.isOpen = false
      return false
    }
  }
}
