import type { BrokerConnection } from '../broker-options.ts'
import type { Headers } from '../message-headers.ts'
import { DEAD } from '../topology-names.ts'
import type { DeadLetter, DeadLetterSource } from './dead-letter.ts'

/** A dead letter outside the broker: everything that is needed to put it back as it was. */
export type StoredLetter = {
  readonly service: DeadLetterSource
  readonly messageId: string
  readonly type: string
  readonly contentType?: string | undefined
  readonly headers: Readonly<Headers>
  readonly content: Buffer
}

/** What is kept of a letter. What only the broker noted, in headers that cannot be sent again, is written into ours. */
export function toStoredLetter(letter: DeadLetter): StoredLetter {
  const { service, messageId, type, contentType, content, origin, reason, diedIn, deadAt } = letter
  const noted = {
    'gh-reason': reason,
    'gh-queue': diedIn,
    'gh-dead-at': deadAt,
    'gh-origin-exchange': origin?.exchange,
    'gh-origin-key': origin?.routingKey,
  }
  const headers: Headers = { ...letter.headers }
  for (const [name, value] of Object.entries(noted)) if (value !== undefined) headers[name] ??= value
  return { service, messageId, type, contentType, headers, content }
}

/**
 * Puts a letter into the dead queue of its service, confirmed; it comes last there.
 * @throws what `publishRaw` throws.
 */
export async function putDeadLetter(
  broker: Pick<BrokerConnection, 'publishRaw'>,
  letter: StoredLetter,
  signal: AbortSignal,
): Promise<void> {
  const { service, ...kept } = letter
  // `unrouted` is bound to nothing: the exchange hands it to the queue of what nobody took.
  await broker.publishRaw({ exchange: DEAD, routingKey: service, ...kept }, signal)
}
