import { putDeadLetter, type StoredLetter } from '@gatehouse/broker'
import { insertDeadLetterAction } from '@gatehouse/store'
import type { DeadLetterDeps } from './dead-letter-deps.ts'

const AT_ONCE = 100

/** Puts letters into the dead queues they name, where they can be looked at and replayed like any other. */
export async function importLetters(
  letters: readonly StoredLetter[],
  actor: string,
  deps: DeadLetterDeps,
  signal: AbortSignal,
): Promise<number> {
  const services = [...new Set(letters.map((letter) => letter.service))]
  let imported = 0
  try {
    for (let from = 0; from < letters.length; from += AT_ONCE) {
      const some = letters.slice(from, from + AT_ONCE)
      await Promise.all(some.map((letter) => putDeadLetter(deps.broker, letter, signal)))
      imported += some.length
    }
  } finally {
    const detail = { letters: letters.length, imported }
    if (letters.length > 0) await insertDeadLetterAction(deps.db, { action: 'import', services, actor, detail, at: deps.now() })
  }
  return imported
}
