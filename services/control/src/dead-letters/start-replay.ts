import { insertDeadLetterAction, openReplay, type Row } from '@gatehouse/store'
import type { DeadLetterDeps } from './dead-letter-deps.ts'
import { sourcesOf } from './dead-letter-filter.ts'
import { type Refusal, refuseExecution } from './refuse-execution.ts'
import { type ReplayRequest, targetOf } from './replay-request.ts'
import { type Selection, selectLetters } from './select-letters.ts'
import { refuseRunning, refuseRunningIn } from './take-queues.ts'

export type ReplayAnswer =
  | { readonly kind: 'plan'; readonly selection: Selection }
  | { readonly kind: 'started'; readonly selection: Selection; readonly replay: Row<'replays'> }
  | (Refusal & { readonly selection?: Selection })

/**
 * Shows what a replay would send where or, when it is to be executed, opens it for whichever copy of control carries it out
 * first. The letters are those that are shown: the replay keeps their keys.
 */
export async function startReplay(
  request: ReplayRequest,
  actor: string,
  deps: DeadLetterDeps,
  signal: AbortSignal,
): Promise<ReplayAnswer> {
  const { filter, max, execute, hash, yes, ...options } = request
  // First of all: what a running replay has in hand cannot be seen.
  const busy = execute ? await refuseRunningIn(sourcesOf(filter), deps) : undefined
  if (busy !== undefined) return busy
  const selection = await selectLetters({ filter, max, forReplay: { to: targetOf(options.to) } }, deps, signal)
  if (!execute || selection.count === 0) return { kind: 'plan', selection }
  const refused = refuseExecution({ execute, hash, yes }, selection)
  if (refused !== undefined) return { ...refused, selection }
  const at = deps.now()
  const counts = { selected: selection.count, sent: 0, returned: 0, unaccounted: 0 }
  const wanted = { actor, filter, options, hash: selection.hash, selection: selection.keys, counts, at }
  const answer = await deps.db.transaction().execute(async (transaction) => {
    const found = await openReplay(transaction, wanted)
    if ('opened' in found)
      await insertDeadLetterAction(transaction, {
        action: 'replay',
        services: Object.keys(selection.keys),
        actor,
        detail: {
          replayId: found.opened.id,
          filter,
          options,
          max: max ?? null,
          hash: selection.hash,
          selected: selection.count,
        },
        at,
      })
    return found
  })
  if ('running' in answer) return { ...refuseRunning(answer.running), selection }
  deps.log.info({ replayId: answer.opened.id, actor, selected: selection.count }, 'A replay begins')
  return { kind: 'started', selection, replay: answer.opened }
}
