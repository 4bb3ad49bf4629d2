import { PermanentError } from '@gatehouse/messages'
import type { BrokerConnection } from '../broker-options.ts'
import type { DeadLetter, DeadLetterSource } from './dead-letter.ts'
import { visitDeadLetters } from './visit-dead-letters.ts'

export type ReadDeadLettersOptions = {
  readonly service: DeadLetterSource
  /** At most 10,000, since all that is read is held in memory. */
  readonly limit: number
  /** Only messages that satisfy it are given back. */
  readonly where?: (letter: DeadLetter) => boolean
}

const READ_MAX = 10_000

/**
 * Reads a service's dead letters, oldest first, and leaves them where they are.
 * @returns how many there are, how many were looked at, and those that match.
 * @throws PermanentError `limit-invalid`; whatever `visitDeadLetters` throws.
 */
export async function readDeadLetters(
  broker: Pick<BrokerConnection, 'openChannel'>,
  { service, limit, where = () => true }: ReadDeadLettersOptions,
  signal: AbortSignal,
): Promise<{ total: number; scanned: number; messages: DeadLetter[] }> {
  if (!Number.isInteger(limit) || limit < 1 || limit > READ_MAX)
    throw new PermanentError('limit-invalid', `limit must be 1 to ${READ_MAX}, not ${limit}`)
  const messages: DeadLetter[] = []
  const visit = (letter: DeadLetter): 'leave' | 'stop' => {
    if (where(letter)) messages.push(letter)
    return messages.length < limit ? 'leave' : 'stop'
  }
  const { total, seen } = await visitDeadLetters(broker, { source: service, windowMax: 0, visit }, signal)
  return { total, scanned: seen, messages }
}
