import { DEAD_LETTER_SOURCES, type DeadLetter } from '@gatehouse/broker'
import type { DeadLetterDeps } from './dead-letter-deps.ts'
import { lookThrough } from './look-through.ts'

/** The first letter with this message id or key, in whichever dead queue it lies. */
export async function findLetter(
  key: string,
  deps: Pick<DeadLetterDeps, 'broker' | 'locks'>,
  signal: AbortSignal,
): Promise<DeadLetter | undefined> {
  let found: DeadLetter | undefined
  const see = (letter: DeadLetter): 'leave' | 'stop' => {
    if (letter.key === key) found = letter
    return found === undefined ? 'leave' : 'stop'
  }
  for (const source of DEAD_LETTER_SOURCES) if (found === undefined) await lookThrough(source, see, deps, signal)
  return found
}
