import { setTimeout as delay } from 'node:timers/promises'
import { type DeadLetter, type DeadLetterSource, type VisitResult, visitDeadLetters } from '@gatehouse/broker'
import { RetryableError } from '@gatehouse/messages'
import type { AdvisoryLock } from '@gatehouse/store'
import type { DeadLetterDeps } from './dead-letter-deps.ts'

const WAIT_MS = 15_000
const POLL_MS = 20

/**
 * Calls `see` for every letter of a dead queue, oldest first, until it answers `stop`; all stay where they are. A look holds what
 * it sees until it ends, so two at once would each be told half: over all copies of control one looks at a time.
 * @throws RetryableError `dead-letters-busy` when others look for a quarter of a minute; what `visitDeadLetters` throws.
 */
export async function lookThrough(
  source: DeadLetterSource,
  see: (letter: DeadLetter) => 'leave' | 'stop',
  deps: Pick<DeadLetterDeps, 'broker' | 'locks'>,
  signal: AbortSignal,
): Promise<VisitResult> {
  using _look = await takeLook(source, deps, signal)
  return await visitDeadLetters(deps.broker, { source, windowMax: 0, visit: see }, signal)
}

async function takeLook(
  source: DeadLetterSource,
  { locks }: Pick<DeadLetterDeps, 'locks'>,
  signal: AbortSignal,
): Promise<AdvisoryLock> {
  const deadline = performance.now() + WAIT_MS
  for (;;) {
    const lock = await locks.tryLock(`dead-letters-look:${source}`)
    if (lock !== undefined) return lock
    if (performance.now() > deadline)
      throw new RetryableError('dead-letters-busy', `Others look at the dead letters of ${source} without end; try again`)
    await delay(POLL_MS, undefined, { signal })
  }
}
