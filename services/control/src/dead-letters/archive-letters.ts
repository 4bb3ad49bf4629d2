import { createHash } from 'node:crypto'
import { type DeadLetter, type DeadLetterSource, toStoredLetter, visitDeadLetters } from '@gatehouse/broker'
import { archiveLetters, batchCalls, type NewDiscardedLetter } from '@gatehouse/store'
import type { DeadLetterDeps } from './dead-letter-deps.ts'

/** Letters in hand at once; they share statements. */
const WINDOW = 500

/**
 * Moves letters from their dead queue into the archive: each is acknowledged only after it is stored, so a crash leaves it in
 * both and never in none. The caller holds the queue.
 * @returns how many were moved.
 */
export async function moveToArchive(
  source: DeadLetterSource,
  isMeant: (letter: DeadLetter) => boolean,
  by: { actor: string; reason: string; at: Date },
  { deps, signal }: { deps: DeadLetterDeps; signal: AbortSignal },
): Promise<number> {
  const archive = batchCalls<NewDiscardedLetter, true>({
    run: async (letters) => {
      await archiveLetters(deps.pool, letters, by)
      return letters.map(() => true)
    },
    keyOf: (letter) => letter.fingerprint,
    batchMax: WINDOW,
    concurrency: 1,
  })
  const visit = async (letter: DeadLetter): Promise<'take'> => {
    await archive(toArchived(letter))
    return 'take'
  }
  const { taken } = await visitDeadLetters(
    deps.broker,
    { source, windowMax: WINDOW, visit: (letter) => (isMeant(letter) ? visit(letter) : 'leave') },
    signal,
  )
  return taken
}

function toArchived(letter: DeadLetter): NewDiscardedLetter {
  const { service, messageId, type, contentType, content, headers } = toStoredLetter(letter)
  const headersJson = Buffer.from(JSON.stringify(headers))
  const fingerprint = createHash('sha256')
    .update(`${service}\n${messageId}\n`)
    .update(headersJson)
    .update(content)
    .digest('hex')
  return {
    fingerprint,
    service,
    message_id: messageId === '' ? letter.key : messageId,
    type,
    content_type: contentType ?? null,
    headers: headersJson,
    content,
  }
}
