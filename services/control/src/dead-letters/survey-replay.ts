import type { DeadLetter, DeadLetterSource } from '@gatehouse/broker'
import type { DeadLetterDeps } from './dead-letter-deps.ts'
import { lookThrough } from './look-through.ts'

/** The letters of a replay: their keys by service. */
export type ReplayKeys = ReadonlyMap<DeadLetterSource, ReadonlySet<string>>

/** A letter of the selection that this replay has not sent; one that it has sent and that died again carries its id. */
export function isToBeSent(letter: DeadLetter, replay: { id: string; keys: ReplayKeys }): boolean {
  return letter.replayId !== replay.id && replay.keys.get(letter.service)?.has(letter.key) === true
}

/**
 * Counts in the dead queues themselves what a replay has still to send, and what of it is dead again: the same whoever has
 * carried it out so far, and whatever became of them. `holders`: others who may have letters in hand that are not counted.
 */
export async function surveyReplay(
  replay: { id: string; keys: ReplayKeys },
  deps: Pick<DeadLetterDeps, 'broker' | 'locks'>,
  signal: AbortSignal,
): Promise<{ remaining: number; returned: number; holders: number }> {
  let remaining = 0
  let returned = 0
  let holders = 0
  const see = (letter: DeadLetter): 'leave' => {
    if (letter.replayId === replay.id) returned += 1
    else if (isToBeSent(letter, replay)) remaining += 1
    return 'leave'
  }
  for (const source of replay.keys.keys()) holders += (await lookThrough(source, see, deps, signal)).others
  return { remaining, returned, holders }
}
