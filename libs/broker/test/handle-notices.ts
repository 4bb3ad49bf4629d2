import { randomUUID } from 'node:crypto'
import { type Lane, MESSAGES, type Outcome } from '@gatehouse/messages'
import type { BrokerConnection, Consumer, ConsumerOptions, MessageContext } from '../src/index.ts'
import { COMMANDS } from '../src/index.ts'

export type Seen = { readonly noticeId: string; readonly context: MessageContext; readonly at: number }

/** Consumes as notification and notes what it sees; `handle` decides. The tests' messages are notices, told apart by their id. */
export async function handleNotices(
  broker: BrokerConnection,
  handle: (noticeId: string, context: MessageContext, signal: AbortSignal) => Outcome | Promise<Outcome>,
  options: Partial<Pick<ConsumerOptions, 'concurrency' | 'handlerTimeoutMs' | 'drainMs' | 'dependencies' | 'limit'>> = {},
): Promise<Consumer & { seen: Seen[] }> {
  const seen: Seen[] = []
  const consumer = await broker.consume({
    service: 'notification',
    concurrency: 10,
    handlerTimeoutMs: 30_000,
    ...options,
    handlers: {
      'notification.send-notice': async ({ noticeId }, context, signal) => {
        seen.push({ noticeId, context, at: performance.now() })
        return await handle(noticeId, context, signal)
      },
    },
  })
  return Object.assign(consumer, { seen })
}

/** Publishes a notice and gives back its id. */
export async function publishNotice(
  broker: BrokerConnection,
  options: { lane?: Lane; signal?: AbortSignal } = {},
): Promise<string> {
  const noticeId = randomUUID()
  const signal = options.signal ?? AbortSignal.timeout(60_000)
  await broker.publish('notification.send-notice', { noticeId }, { lane: options.lane ?? 'bulk', signal })
  return noticeId
}

/** Publishes bytes as a notice, as a producer of another build, or a broken one, would. */
export async function publishBytes(broker: BrokerConnection, body: unknown): Promise<string> {
  const messageId = randomUUID()
  const content = Buffer.from(typeof body === 'string' ? body : JSON.stringify(body))
  const version = MESSAGES['notification.send-notice'].schema.shape.version.value
  const routingKey = `bulk.notification.send-notice.v${version}`
  await broker.publishRaw(
    { exchange: COMMANDS, routingKey, content, messageId, type: 'notification.send-notice', headers: {} },
    AbortSignal.timeout(60_000),
  )
  return messageId
}
