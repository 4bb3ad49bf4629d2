import { once } from 'node:events'
import type { Writable } from 'node:stream'
import { type DeadLetter, visitDeadLetters } from '@gatehouse/broker'
import { insertDeadLetterAction } from '@gatehouse/store'
import type { DeadLetterDeps } from './dead-letter-deps.ts'
import { type DeadLetterFilter, matcherOf, sourcesOf } from './dead-letter-filter.ts'
import { formatLetterLine } from './letter-line.ts'

/** Letters in hand while the reader is slow. */
const WINDOW = 200

/** Writes the letters that are meant as lines of JSON, at the reader's pace, and leaves them where they are. */
export async function exportLetters(
  filter: DeadLetterFilter,
  { actor, to }: { actor: string; to: Writable },
  deps: DeadLetterDeps,
  signal: AbortSignal,
): Promise<void> {
  const isMeant = matcherOf(filter)
  const isDeferred = (letter: DeadLetter): boolean => !to.write(formatLetterLine(letter))
  let exported = 0
  const visit = (letter: DeadLetter): 'leave' | Promise<'leave'> => {
    if (!isMeant(letter)) return 'leave'
    exported += 1
    return isDeferred(letter) ? once(to, 'drain', { signal }).then(() => 'leave' as const) : 'leave'
  }
  const services = sourcesOf(filter)
  for (const source of services) await visitDeadLetters(deps.broker, { source, windowMax: WINDOW, visit }, signal)
  await insertDeadLetterAction(deps.db, { action: 'export', services, actor, detail: { filter, exported }, at: deps.now() })
  to.end()
}
