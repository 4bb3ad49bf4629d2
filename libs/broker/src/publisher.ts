import { abortReason, PermanentError, RetryableError } from '@gatehouse/messages'
import type { ConfirmChannel, Message, Options } from 'amqplib'
import { fullJitterMs } from './backoff.ts'
import { Fifo } from './fifo.ts'
import { keepChannel } from './keep-channel.ts'
import type { SupervisedConnection } from './supervised-connection.ts'
import { settlesWithin } from './wait-for.ts'

export type Outgoing = {
  readonly exchange: string
  readonly routingKey: string
  readonly content: Buffer
  readonly options: Options.Publish & { readonly messageId: string }
}

type Publication = Outgoing & {
  readonly signal: AbortSignal
  readonly settle: (error: unknown) => void
  isSettled: boolean
  isReturned: boolean
  nacks: number
  sentAt: number
}

/** RabbitMQ 4 takes 16 MiB; ours name an object and are below 1 KiB. */
const CONTENT_BYTES_MAX = 1_048_576
const WAITING_MAX = 100_000
const NACK_BACKOFF = { baseMs: 50, capMs: 5_000 }

/**
 * Publishes with confirms over one channel: at most `unconfirmedMax` on the way, the rest waits here in order. What was on
 * the way when the channel was lost goes again first: it may arrive twice, it is never lost.
 */
export class Publisher {
  private readonly connection: SupervisedConnection
  private readonly unconfirmedMax: number
  private readonly random: () => number
  private readonly onConfirmed: ((seconds: number) => void) | undefined
  private readonly stopping = new AbortController()
  private readonly loop: Promise<void>
  private readonly waiting = new Fifo<Publication>()
  private readonly sent = new Set<Publication>()
  private readonly backingOff = new Map<Publication, NodeJS.Timeout>()
  private lost: Publication[] = []
  private channel: ConfirmChannel | undefined
  /** Publications whose callers still wait. */
  private unsettled = 0
  private idle: PromiseWithResolvers<void> | undefined

  constructor(options: {
    connection: SupervisedConnection
    unconfirmedMax: number
    random: () => number
    confirmed?: ((seconds: number) => void) | undefined
  }) {
    this.connection = options.connection
    this.unconfirmedMax = options.unconfirmedMax
    this.random = options.random
    this.onConfirmed = options.confirmed
    this.loop = keepChannel<ConfirmChannel>(
      {
        connection: this.connection,
        purpose: 'publish',
        open: (model) => model.createConfirmChannel(),
        start: async (channel) => this.use(channel),
        lost: (channel, error) => this.release(channel, error),
        random: this.random,
      },
      this.stopping.signal,
    )
  }

  /** Resolves when the broker confirmed it. See `BrokerConnection.publish` for what it throws. */
  send(outgoing: Outgoing, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.reject(abortReason(signal))
    if (this.stopping.signal.aborted) return Promise.reject(closed())
    if (outgoing.content.length > CONTENT_BYTES_MAX)
      return Promise.reject(
        new PermanentError('message-too-large', `A message of ${outgoing.content.length} bytes is too large`),
      )
    if (this.waiting.size >= WAITING_MAX)
      return Promise.reject(new RetryableError('publisher-full', `${WAITING_MAX} messages wait to be published already`))
    return new Promise((resolve, reject) => {
      const abort = (): void => publication.settle(abortReason(signal))
      const settle = (error: unknown): void => {
        if (publication.isSettled) return
        publication.isSettled = true
        this.unsettled -= 1
        signal.removeEventListener('abort', abort)
        if (error === undefined) resolve()
        else reject(error)
        this.noticeIdle()
      }
      const publication: Publication = { ...outgoing, signal, settle, isSettled: false, isReturned: false, nacks: 0, sentAt: 0 }
      this.unsettled += 1
      signal.addEventListener('abort', abort)
      if (this.canTransmit() && this.waiting.size === 0) this.transmit(publication)
      else this.waiting.push(publication)
    })
  }

  /** Sends what may be sent; called whenever the connection's state changes. */
  pump(): void {
    while (this.canTransmit()) {
      const publication = this.waiting.shift()
      if (publication === undefined) return
      if (!publication.isSettled) this.transmit(publication)
    }
  }

  /** `refusedKey`: the routing key of a publication that a full queue has refused and that is tried again. */
  stats(): { unconfirmed: number; toPublish: number; refused: number; refusedKey: string | undefined } {
    const [refused] = this.backingOff.keys()
    return {
      unconfirmed: this.sent.size,
      toPublish: this.waiting.size,
      refused: this.backingOff.size,
      refusedKey: refused?.routingKey,
    }
  }

  /** Waits until everything given to `send` is confirmed, at most `timeoutMs`; what is left then is refused. */
  async close(timeoutMs: number): Promise<void> {
    this.idle = Promise.withResolvers()
    this.noticeIdle()
    await settlesWithin(this.idle.promise, timeoutMs)
    this.stopping.abort(closed())
    for (const timer of this.backingOff.values()) clearTimeout(timer)
    for (const publication of [...this.sent, ...this.backingOff.keys(), ...this.waiting.keep(() => false)])
      publication.settle(closed())
  }

  /** Resolves once the channel is given up; the connection must be closed first. */
  async finished(): Promise<void> {
    await this.loop
  }

  private canTransmit(): boolean {
    return this.channel !== undefined && this.connection.state === 'ready' && this.sent.size < this.unconfirmedMax
  }

  private transmit(publication: Publication): void {
    this.sent.add(publication)
    publication.sentAt = performance.now()
    this.connection.gatherWrites()
    try {
      this.channel?.publish(
        publication.exchange,
        publication.routingKey,
        publication.content,
        publication.options,
        (error: Error | null) => this.answered(publication, error),
      )
    } catch (error) {
      this.sent.delete(publication)
      // A RangeError is about this message (headers above 64 KiB), anything else about a channel that is being lost.
      if (error instanceof RangeError || error instanceof TypeError)
        publication.settle(new PermanentError('message-too-large', 'The message cannot be encoded', { cause: error }))
      else this.lost.push(publication)
    }
  }

  private answered(publication: Publication, error: Error | null): void {
    this.sent.delete(publication)
    if (error === null) this.confirmed(publication)
    else if (error.message === 'message nacked') this.refused(publication)
    // 'channel closed': decided together with the others when the channel's reason is known.
    else this.lost.push(publication)
    this.pump()
  }

  private confirmed(publication: Publication): void {
    this.onConfirmed?.((performance.now() - publication.sentAt) / 1_000)
    if (!publication.isReturned) {
      publication.settle(undefined)
      return
    }
    const text = `No queue takes ${publication.routingKey} from ${publication.exchange}: apply the topology`
    publication.settle(new PermanentError('unroutable', text))
  }

  /** A queue is full: the broker asks to come back later. An event may have reached its other queues already. */
  private refused(publication: Publication): void {
    if (publication.isSettled) return
    publication.nacks += 1
    const timer = setTimeout(
      () => {
        this.backingOff.delete(publication)
        this.waiting.push(publication)
        this.pump()
      },
      fullJitterMs(publication.nacks, { ...NACK_BACKOFF, random: this.random }),
    )
    this.backingOff.set(publication, timer)
  }

  private use(channel: ConfirmChannel): void {
    // The return comes before the confirm of the same message.
    channel.on('return', (message) => this.returned(message))
    this.channel = channel
    this.pump()
  }

  private returned({ fields, properties }: Message): void {
    for (const one of this.sent)
      if (
        one.options.messageId === properties.messageId &&
        one.exchange === fields.exchange &&
        one.routingKey === fields.routingKey
      )
        one.isReturned = true
  }

  private release(channel: ConfirmChannel, error: Error | undefined): void {
    if (this.channel === channel) this.channel = undefined
    const lost = this.lost.filter((publication) => !publication.isSettled)
    this.lost = []
    const again = lost.filter((publication) => {
      if (error === undefined || !isCulprit(publication, error.message)) return true
      publication.settle(new RetryableError('publish-refused', `RabbitMQ refused to publish: ${error.message}`))
      return false
    })
    this.waiting.prepend(again)
  }

  private noticeIdle(): void {
    if (this.unsettled === 0) this.idle?.resolve()
  }
}

/**
 * The broker closes the channel over a publication to an exchange or key that is missing or not allowed, and names only
 * those. Whoever used them is refused, for otherwise it would take the next channel down as well.
 */
function isCulprit(publication: Publication, reason: string): boolean {
  if (!reason.includes(`'${publication.exchange}'`)) return false
  return !reason.includes('topic') || reason.includes(`'${publication.routingKey}'`)
}

function closed(): RetryableError {
  return new RetryableError('broker-closed', 'The connection to RabbitMQ is closed')
}
