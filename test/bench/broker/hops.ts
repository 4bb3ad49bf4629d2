import { createRequire } from 'node:module'
import { connect } from 'amqplib'
import { Connection } from 'rabbitmq-client'
import { type BrokerOptions, connectBroker, EVENTS, inboxOf } from '../../../libs/broker/src/index.ts'
import { createMessage, done, MailboxObserved, type MessageOf, routingKeyOf } from '../../../libs/messages/src/index.ts'

/** rascal has no types and no named exports. */
type RascalBroker = {
  on(event: 'error', listener: (error: unknown) => void): void
  subscribe(name: string): Promise<{ on(event: 'message', listener: RascalListener): void }>
  publish(name: string, message: object, overrides: object): Promise<{ on(event: 'success', listener: () => void): void }>
  shutdown(): Promise<void>
}
type RascalListener = (raw: unknown, content: string, ackOrNack: () => void) => Promise<void>
const { BrokerAsPromised: Rascal } = createRequire(import.meta.url)('rascal') as {
  BrokerAsPromised: { create(config: object): Promise<RascalBroker> }
}

export const IN_HAND = 200

export type BenchBroker = {
  readonly url: string
  readonly vhost: string
  readonly signal: AbortSignal
  note(text: string): void
}
/** Starts the hop; `handled` is called once per acknowledged message. Resolves with how to stop it. */
export type Hop = (broker: BenchBroker, handled: () => void) => Promise<() => Promise<void>>

export function propertiesOf(message: { type: string; messageId: string; at: string }) {
  return {
    persistent: true,
    mandatory: true,
    contentType: 'application/json',
    type: message.type,
    messageId: message.messageId,
    timestamp: Math.floor(Date.parse(message.at) / 1000),
    headers: { 'gh-attempt': 1 },
  }
}

/** What every hop does with a message: the handler. */
function decided(observed: MessageOf<'mailbox.observed'>) {
  const { organizationId, mailboxId, syncRunId } = observed
  return { organizationId, mailboxId, syncRunId, decisionVersion: 1 }
}

export async function rawHop({ url }: BenchBroker, handled: () => void): Promise<() => Promise<void>> {
  const [publishing, consuming] = await Promise.all([connect(url, { noDelay: true }), connect(url, { noDelay: true })])
  const out = await publishing.createConfirmChannel()
  const channel = await consuming.createChannel()
  await channel.prefetch(IN_HAND)
  await channel.consume(inboxOf('compliance-lookup', 'bulk'), (raw) => {
    if (raw === null) throw new Error('Cancelled')
    const observed = MailboxObserved.parse(JSON.parse(raw.content.toString()))
    const message = createMessage('mailbox.decided', decided(observed))
    const content = Buffer.from(JSON.stringify(message))
    out.publish(EVENTS, routingKeyOf('bulk', 'mailbox.decided'), content, propertiesOf(message), (error: unknown) => {
      if (error !== null) throw error
      channel.ack(raw)
      handled()
    })
  })
  return async () => {
    await Promise.all([publishing.close(), consuming.close()])
  }
}

export function brokerOptions({ url, note }: BenchBroker): BrokerOptions {
  return {
    url,
    connectionName: 'bench',
    log: {
      info: () => {},
      debug: () => {},
      warn: () => {},
      error: (fields, text) => note(`${text} ${JSON.stringify(fields)}`),
    },
    unconfirmedMax: IN_HAND,
    prefetchMax: IN_HAND,
    maxAttempts: 8,
    laterAgeMsMax: 3_600_000,
  }
}

export async function gatehouseHop(broker: BenchBroker, handled: () => void): Promise<() => Promise<void>> {
  const gatehouse = await connectBroker({ ...brokerOptions(broker), metrics: { handled } }, broker.signal)
  await gatehouse.consume({
    service: 'compliance-lookup',
    concurrency: IN_HAND,
    handlerTimeoutMs: 60_000,
    handlers: {
      'mailbox.observed': async (message, context, handlerSignal) => {
        const { lane } = context
        await gatehouse.publish('mailbox.decided', decided(message), { lane, causedBy: context, signal: handlerSignal })
        return done
      },
    },
  })
  return async () => {
    await gatehouse[Symbol.asyncDispose]()
  }
}

export async function rascalHop({ url, vhost, note }: BenchBroker, handled: () => void): Promise<() => Promise<void>> {
  const queue = inboxOf('compliance-lookup', 'bulk')
  const rascal = await Rascal.create({
    vhosts: {
      [vhost]: {
        connection: { url, socketOptions: { noDelay: true } },
        exchanges: { [EVENTS]: { assert: false, check: false } },
        queues: { [queue]: { assert: false, check: false } },
        publicationChannelPools: { confirmPool: { max: 5, min: 1, autostart: true } },
        publications: { decided: { exchange: EVENTS, routingKey: routingKeyOf('bulk', 'mailbox.decided'), confirm: true } },
        subscriptions: { observed: { queue, prefetch: IN_HAND, contentType: 'text/plain' } },
      },
    },
  })
  rascal.on('error', (error) => note(`rascal: ${String(error)}`))
  const subscription = await rascal.subscribe('observed')
  subscription.on('message', async (_raw, content, ackOrNack) => {
    const observed = MailboxObserved.parse(JSON.parse(content))
    const message = createMessage('mailbox.decided', decided(observed))
    const { mandatory, headers, ...options } = propertiesOf(message)
    const publication = await rascal.publish('decided', message, { options: { ...options, mandatory, headers } })
    publication.on('success', () => {
      ackOrNack()
      handled()
    })
  })
  return async () => {
    await rascal.shutdown()
  }
}

export async function rabbitmqClientHop({ url, note }: BenchBroker, handled: () => void): Promise<() => Promise<void>> {
  const client = new Connection({ url, noDelay: true })
  client.on('error', (error) => note(`rabbitmq-client: ${String(error)}`))
  const publisher = client.createPublisher({ confirm: true })
  const queue = inboxOf('compliance-lookup', 'bulk')
  const options = { queue, queueOptions: { passive: true }, qos: { prefetchCount: IN_HAND } }
  const consumer = client.createConsumer(options, async ({ body }) => {
    // It has parsed the JSON already.
    const message = createMessage('mailbox.decided', decided(MailboxObserved.parse(body)))
    const { persistent, ...properties } = propertiesOf(message)
    const envelope = {
      ...properties,
      durable: persistent,
      exchange: EVENTS,
      routingKey: routingKeyOf('bulk', 'mailbox.decided'),
    }
    await publisher.send(envelope, Buffer.from(JSON.stringify(message)))
    // It acknowledges in the next turn, when this has returned.
    handled()
  })
  consumer.on('error', (error) => note(`rabbitmq-client: ${String(error)}`))
  return async () => {
    await consumer.close()
    await publisher.close()
    await client.close()
  }
}
