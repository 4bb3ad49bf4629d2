import { setTimeout as wait } from 'node:timers/promises'
import { abortReason, type PermanentError, type RetryableError } from '@gatehouse/messages'
import type { Logger } from './create-logger.ts'
import { explainFailure } from './explain-failure.ts'

const RETRY_MS = 500

/**
 * Asks until `find` finds no problem, and logs each problem once: where everything starts at once, what prepares a dependency may not
 * be through yet.
 * @throws the last problem when the signal ends first, and whatever `find` throws, at once
 */
export async function waitUntilWell(
  o: { what: string; find: () => Promise<PermanentError | RetryableError | undefined>; log: Logger },
  signal: AbortSignal,
): Promise<void> {
  let told = ''
  for (;;) {
    if (signal.aborted && told === '') throw abortReason(signal)
    const problem = await o.find()
    if (problem === undefined) return
    const said = explainFailure(problem) ?? ''
    if (told !== said) o.log.warn({ dependency: o.what, reason: said }, 'Waiting for what it needs')
    told = said
    if (signal.aborted) throw problem
    // An abort ends the wait early and is told above, with the last problem instead of just the abort.
    await wait(RETRY_MS, undefined, { signal }).catch(() => {})
  }
}
