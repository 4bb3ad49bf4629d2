import { abortReason, PermanentError } from '@gatehouse/messages'
import type { Channel, ConsumeMessage } from 'amqplib'
import type { BrokerConnection } from './broker-options.ts'
import { stripBrokerHeaders } from './message-headers.ts'
import type { ServiceName } from './service-names.ts'
import { deadQueueOf } from './topology-names.ts'

export type DeadLetter = {
  readonly queue: string
  readonly service: ServiceName
  readonly messageId: string
  readonly type: string
  /** The error's code; `attempts-exhausted`, `waited-too-long`, `malformed`; `delivery-limit` when the broker gave up on it. */
  readonly reason: string
  readonly errorCode: string | undefined
  readonly errorClass: string | undefined
  readonly errorMessage: string | undefined
  /** The type of message whose handler gave up. */
  readonly handler: string
  /** The queue it was taken from. */
  readonly diedIn: string | undefined
  readonly attempts: number
  readonly firstFailedAt: string | undefined
  readonly deadAt: string | undefined
  readonly origin: { readonly exchange: string; readonly routingKey: string } | undefined
  /** The zod issues of a malformed message, as JSON. */
  readonly issues: string | undefined
  readonly body: string
  /** Ours only, as they can be sent again. */
  readonly headers: Readonly<Record<string, string | number>>
}

export type ReadDeadLettersOptions = {
  readonly service: ServiceName
  /** At most 10,000, since all that is read is held until the reading ends. */
  readonly limit: number
  /** Only messages that satisfy it are given back; all that are looked at count towards `scanMax`. */
  readonly where?: (letter: DeadLetter) => boolean
  /** How many to look at; default 10,000. */
  readonly scanMax?: number
}

const READ_MAX = 10_000
const PREFETCH = 500
/** A queue that promises more than it delivers (another reader holds messages) is not waited for. */
const SILENCE_MS = 500

/**
 * Reads a service's dead letters, oldest first, and leaves them where they are. Everything read is held until the end and
 * then given back once; the queue's delivery limit is far above any number of readings. Never use the management API's "get":
 * it costs a delivery for each message each time.
 * @returns how many there are, how many were looked at, and those that match.
 */
export async function readDeadLetters(
  broker: BrokerConnection,
  options: ReadDeadLettersOptions,
  signal: AbortSignal,
): Promise<{ total: number; scanned: number; messages: DeadLetter[] }> {
  const scanMax = options.scanMax ?? READ_MAX
  for (const [name, value] of Object.entries({ limit: options.limit, scanMax }))
    if (!Number.isInteger(value) || value < 1 || value > READ_MAX)
      throw new PermanentError('limit-invalid', `${name} must be 1 to ${READ_MAX}, not ${value}`)
  const queue = deadQueueOf(options.service)
  const channel = await broker.openChannel(signal)
  try {
    const { messageCount } = await channel.checkQueue(queue)
    const messages: DeadLetter[] = []
    const scanned = await scan(channel, queue, Math.min(messageCount, scanMax), signal, (raw) => {
      const letter = toDeadLetter(raw, queue, options.service)
      if (options.where === undefined || options.where(letter)) messages.push(letter)
      return messages.length < options.limit
    })
    return { total: messageCount, scanned, messages }
  } finally {
    await channel.close().catch(() => {})
  }
}

/** Calls `see` for each of the first `count` messages until it answers false; resolves with how many were seen. */
async function scan(
  channel: Channel,
  queue: string,
  count: number,
  signal: AbortSignal,
  see: (raw: ConsumeMessage) => boolean,
): Promise<number> {
  if (count === 0) return 0
  await channel.prefetch(count <= PREFETCH ? count : 0)
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const silence = setTimeout(resolve, SILENCE_MS)
  const abort = (): void => reject(abortReason(signal))
  signal.addEventListener('abort', abort)
  channel.on('close', () => resolve())
  let seen = 0
  let isDone = false
  try {
    await channel.consume(queue, (raw) => {
      if (raw === null || isDone) return resolve()
      silence.refresh()
      seen += 1
      isDone = !see(raw) || seen >= count
      if (isDone) resolve()
    })
    await promise
    return seen
  } finally {
    clearTimeout(silence)
    signal.removeEventListener('abort', abort)
  }
}

type BrokerDeath = { reason?: string; queue?: string; exchange?: string; 'routing-keys'?: string[] }

function toDeadLetter(raw: ConsumeMessage, queue: string, service: ServiceName): DeadLetter {
  const headers = stripBrokerHeaders(raw.properties.headers)
  const text = (name: string): string | undefined => (headers[name] === undefined ? undefined : String(headers[name]))
  const death = (raw.properties.headers?.['x-death'] as BrokerDeath[] | undefined)?.[0]
  const type = typeof raw.properties.type === 'string' ? raw.properties.type : 'unknown'
  const exchange = text('gh-origin-exchange') ?? death?.exchange
  const routingKey = text('gh-origin-key') ?? death?.['routing-keys']?.[0]
  return {
    queue,
    service,
    messageId: raw.properties.messageId ?? '',
    type,
    // Only the broker buries without our headers: `delivery_limit` after too many crashes, `rejected`, `maxlen`.
    reason: text('gh-reason') ?? death?.reason?.replaceAll('_', '-') ?? 'unknown',
    errorCode: text('gh-error-code'),
    errorClass: text('gh-error-class'),
    errorMessage: text('gh-error-message'),
    handler: text('gh-handler') ?? type,
    diedIn: text('gh-queue') ?? death?.queue,
    attempts: Number(headers['gh-attempt'] ?? 1),
    firstFailedAt: text('gh-first-failed-at'),
    deadAt: text('gh-dead-at'),
    origin: exchange === undefined || routingKey === undefined ? undefined : { exchange, routingKey },
    issues: text('gh-issues'),
    body: raw.content.toString(),
    headers,
  }
}
