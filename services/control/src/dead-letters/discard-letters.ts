import type { DeadLetterSource } from '@gatehouse/broker'
import { insertDeadLetterAction } from '@gatehouse/store'
import { z } from 'zod'
import { moveToArchive } from './archive-letters.ts'
import type { DeadLetterDeps } from './dead-letter-deps.ts'
import { DeadLetterFilter, sourcesOf } from './dead-letter-filter.ts'
import { type Refusal, refuseExecution } from './refuse-execution.ts'
import { Execution } from './replay-request.ts'
import { type Selection, selectLetters } from './select-letters.ts'
import { refuseRunningIn, takeQueues } from './take-queues.ts'

export const DiscardRequest = z.strictObject({
  filter: DeadLetterFilter.prefault({}),
  /** Why; it is kept with each letter. */
  reason: z.string().trim().min(1).max(500),
  max: z.number().int().min(1).max(1_000_000).optional(),
  ...Execution.shape,
})
export type DiscardRequest = z.infer<typeof DiscardRequest>

export type DiscardAnswer =
  | { readonly kind: 'plan'; readonly selection: Selection }
  | { readonly kind: 'discarded'; readonly selection: Selection; readonly discarded: number }
  | (Refusal & { readonly selection?: Selection })

/** Shows which letters would go into the archive or, when it is to be executed, puts them there; they can be restored. */
export async function discardLetters(
  request: DiscardRequest,
  actor: string,
  deps: DeadLetterDeps,
  signal: AbortSignal,
): Promise<DiscardAnswer> {
  const { filter, max, reason, execute, hash, yes } = request
  const busy = execute ? await refuseRunningIn(sourcesOf(filter), deps) : undefined
  if (busy !== undefined) return busy
  const selection = await selectLetters({ filter, max }, deps, signal)
  if (!execute || selection.count === 0) return { kind: 'plan', selection }
  const refused = refuseExecution({ execute, hash, yes }, selection)
  if (refused !== undefined) return { ...refused, selection }
  const services = Object.keys(selection.keys) as DeadLetterSource[]
  const taken = await takeQueues(services, deps)
  if (taken.kind === 'refused') return taken
  using queues = taken
  const at = deps.now()
  let discarded = 0
  try {
    for (const source of services) {
      const keys = new Set(selection.keys[source])
      const either = AbortSignal.any([signal, queues.signal])
      discarded += await moveToArchive(
        source,
        (letter) => keys.has(letter.key),
        { actor, reason, at },
        { deps, signal: either },
      )
    }
  } finally {
    const detail = { filter, reason, hash: selection.hash, selected: selection.count, discarded }
    await insertDeadLetterAction(deps.db, { action: 'discard', services, actor, detail, at })
    deps.log.info({ actor, services, selected: selection.count, count: discarded }, 'Dead letters were discarded')
  }
  return { kind: 'discarded', selection, discarded }
}
