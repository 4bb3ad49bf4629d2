import { type AdvisoryLock, findRunning } from '@gatehouse/store'
import type { DeadLetterDeps } from './dead-letter-deps.ts'
import { type Refusal, refusal } from './refuse-execution.ts'

export type TakenQueues = { readonly kind: 'taken'; readonly signal: AbortSignal } & Disposable

const BUSY = refusal('queue-busy', 'Somebody else is taking letters from the same dead queue at this moment; try again')

/**
 * Takes the dead queues of these services for oneself, over all copies of control: whoever takes letters away must be alone, for
 * each of two would see only a part. Refused with who has them. The signal is aborted when they are lost.
 */
export async function takeQueues(
  services: readonly string[],
  deps: DeadLetterDeps,
  options: { isReplay?: boolean } = {},
): Promise<TakenQueues | Refusal> {
  using stack = new DisposableStack()
  const signals: AbortSignal[] = []
  for (const service of [...services].sort()) {
    const lock: AdvisoryLock | undefined = await deps.locks.tryLock(`dead-letters:${service}`)
    if (lock === undefined) return (await refuseRunningIn(services, deps)) ?? BUSY
    signals.push(stack.use(lock).signal)
  }
  // A replay that is opened and not carried on with yet has its letters too.
  const refused = options.isReplay === true ? undefined : await refuseRunningIn(services, deps)
  if (refused !== undefined) return refused
  const held = stack.move()
  return { kind: 'taken', signal: AbortSignal.any(signals), [Symbol.dispose]: () => held.dispose() }
}

/** Why nothing can be taken from these dead queues now: a replay runs there. */
export async function refuseRunningIn(services: readonly string[], deps: DeadLetterDeps): Promise<Refusal | undefined> {
  const running = await deps.db.transaction().execute((transaction) => findRunning(transaction, services))
  return running === undefined ? undefined : refuseRunning(running)
}

/** Tells who runs the replay that is in the way. */
export function refuseRunning(running: { id: string; actor: string; started_at: Date }): Refusal {
  return refusal(
    'replay-running',
    `Replay ${running.id} of ${running.actor} runs in the same dead queue since ${running.started_at.toISOString()}; wait for it or stop it`,
  )
}
