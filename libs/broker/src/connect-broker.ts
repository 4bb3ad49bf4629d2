import {
  createMessage,
  type MessageOf,
  type MessageType,
  PermanentError,
  RetryableError,
  routingKeyOf,
} from '@gatehouse/messages'
import { Tracer } from '@gatehouse/tracing'
import type { Channel } from 'amqplib'
import type {
  BrokerConnection,
  BrokerOptions,
  BrokerState,
  BrokerStats,
  Consumer,
  ConsumerOptions,
  PublishOptions,
  RawPublication,
  RetryPolicy,
} from './broker-options.ts'
import { classifyConnectFailure } from './classify-connect-failure.ts'
import { findMissingTopology } from './find-missing-topology.ts'
import { MessageConsumer } from './message-consumer.ts'
import { type Headers, setTrace } from './message-headers.ts'
import { Publisher } from './publisher.ts'
import type { ServiceName } from './service-names.ts'
import { SupervisedConnection } from './supervised-connection.ts'
import { exchangeOf } from './topology-names.ts'

const RETRY = { backoffBaseMs: 250, backoffCapMs: 60_000, unknownDelayMs: 15_000 }
/** RabbitMQ closes the channel of a consumer that holds a message for 30 minutes. */
const HANDLER_TIMEOUT_MS_MAX = 25 * 60_000
const CLOSE_DRAIN_MS = 5_000

/**
 * Connects to RabbitMQ: one TCP connection to publish and one to consume, since a broker short of memory stops listening to
 * a connection that publishes, acknowledgements included. Both are opened again whenever they are lost.
 * @throws what `classifyConnectFailure` says of the last cause when the signal is aborted before both are open.
 */
export async function connectBroker(options: BrokerOptions, signal: AbortSignal): Promise<BrokerConnection> {
  const broker = new Broker(options)
  try {
    await broker.opened(signal)
    return broker
  } catch (error) {
    await broker[Symbol.asyncDispose]()
    throw broker.classify(error)
  }
}

class Broker implements BrokerConnection {
  private readonly options: BrokerOptions
  private readonly publishing: SupervisedConnection
  private readonly consuming: SupervisedConnection
  private readonly publisher: Publisher
  private readonly policy: RetryPolicy
  private readonly tracer: Tracer
  private readonly consumers = new Set<MessageConsumer>()
  private closing: Promise<void> | undefined
  private reported: BrokerState = 'connecting'

  constructor(options: BrokerOptions) {
    this.options = options
    this.tracer = options.tracer ?? new Tracer()
    this.policy = { ...RETRY, ...options.retry, maxAttempts: options.maxAttempts, laterAgeMsMax: options.laterAgeMsMax }
    this.publishing = new SupervisedConnection('publish', options, () => this.stateChanged())
    this.consuming = new SupervisedConnection('consume', options, () => this.stateChanged())
    this.publisher = new Publisher({
      connection: this.publishing,
      unconfirmedMax: options.unconfirmedMax,
      random: options.random ?? Math.random,
      confirmed: (seconds) => options.metrics?.confirmed?.(seconds),
    })
  }

  get state(): BrokerState {
    const states = [this.publishing.state, this.consuming.state]
    if (states.every((state) => state === 'closed')) return 'closed'
    if (this.closing !== undefined) return 'draining'
    if (states.includes('connecting')) return 'connecting'
    return states.includes('blocked') ? 'blocked' : 'ready'
  }

  stats(): BrokerStats {
    return {
      state: this.state,
      blocked: this.publishing.blocked,
      blockedMs: this.publishing.blockedMs,
      ...this.publisher.stats(),
      consumers: Array.from(this.consumers, (consumer) => consumer.stats()),
    }
  }

  async opened(signal: AbortSignal): Promise<void> {
    const opening = await Promise.allSettled([this.publishing.open(signal), this.consuming.open(signal)])
    const failures = opening.filter((one) => one.status === 'rejected').map(({ reason }) => reason as unknown)
    // One that was only interrupted knows nothing.
    if (failures.length > 0) throw failures.find((one) => one instanceof RetryableError) ?? failures[0]
  }

  classify(error: unknown): unknown {
    const isAway = error instanceof RetryableError && error.code === 'broker-unreachable'
    return isAway ? classifyConnectFailure(error.cause, this.publishing) : error
  }

  async findMissingTopology(service: ServiceName, signal: AbortSignal): Promise<string[]> {
    return await findMissingTopology(await this.consuming.open(signal), service, signal)
  }

  async publish<T extends MessageType>(
    type: T,
    fields: Omit<MessageOf<T>, 'type' | 'version' | 'messageId' | 'at'>,
    options: PublishOptions,
  ): Promise<void> {
    const message = createMessage(type, fields, this.options.now)
    await this.publisher.send(
      {
        exchange: exchangeOf(type),
        routingKey: routingKeyOf(options.lane, type),
        content: Buffer.from(JSON.stringify(message)),
        options: {
          persistent: true,
          mandatory: true,
          contentType: 'application/json',
          type,
          messageId: message.messageId,
          timestamp: Math.floor(Date.parse(message.at) / 1000),
          headers: firstHeaders(options, this.tracer),
        },
      },
      options.signal,
    )
    this.options.metrics?.published?.(type)
  }

  async publishRaw(publication: RawPublication, signal: AbortSignal): Promise<void> {
    const { exchange, routingKey, content, messageId, type, headers, contentType = 'application/json' } = publication
    const options = { persistent: true, mandatory: true, contentType, type, messageId, headers }
    await this.publisher.send({ exchange, routingKey, content, options }, signal)
    this.options.metrics?.published?.(type)
  }

  async consume(options: ConsumerOptions): Promise<Consumer> {
    checkBounds(options)
    const consumer = new MessageConsumer(options, {
      connection: this.consuming,
      publisher: this.publisher,
      broker: this.options,
      policy: this.policy,
      tracer: this.tracer,
      closed: (closed) => this.consumers.delete(closed),
    })
    this.consumers.add(consumer)
    await consumer.ready()
    return consumer
  }

  async openChannel(signal: AbortSignal): Promise<Channel> {
    const model = await this.consuming.open(signal)
    const channel = await model.createChannel()
    // Without a listener an error of a browsing channel would end the process.
    channel.on('error', (error) => this.options.log.warn({ err: error }, 'RabbitMQ closed a channel'))
    return channel
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.closing ??= this.close()
    await this.closing
  }

  /** Consumers first: their last work still publishes. */
  private async close(): Promise<void> {
    await Promise.all([...this.consumers].map((consumer) => consumer[Symbol.asyncDispose]()))
    await this.publisher.close(CLOSE_DRAIN_MS)
    await Promise.all([this.publishing.close(), this.consuming.close()])
    await this.publisher.finished()
  }

  private stateChanged(): void {
    this.publisher?.pump()
    const { state } = this
    if (state === this.reported) return
    this.reported = state
    this.options.metrics?.stateChanged?.(state)
  }
}

function firstHeaders({ causedBy }: PublishOptions, tracer: Tracer): Headers {
  const headers: Headers = { 'gh-attempt': 1 }
  if (causedBy !== undefined) headers['gh-caused-by'] = causedBy.messageId
  setTrace(headers, causedBy?.trace ?? tracer.current() ?? tracer.start('publish').context)
  return headers
}

function checkBounds({ concurrency, handlerTimeoutMs }: ConsumerOptions): void {
  if (!Number.isInteger(concurrency) || concurrency < 1 || concurrency > 2_000)
    throw new PermanentError('concurrency-invalid', `The concurrency must be 1 to 2000, not ${concurrency}`)
  if (!(handlerTimeoutMs > 0 && handlerTimeoutMs <= HANDLER_TIMEOUT_MS_MAX))
    throw new PermanentError('handler-timeout-invalid', `The handler timeout must be 1 to ${HANDLER_TIMEOUT_MS_MAX} ms`)
}
