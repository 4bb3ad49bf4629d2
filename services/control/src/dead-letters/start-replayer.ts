import { type Row, readRunningReplays } from '@gatehouse/store'
import type { DeadLetterDeps } from './dead-letter-deps.ts'
import { runReplay } from './run-replay.ts'
import { takeQueues } from './take-queues.ts'

const BEAT_MS = 2_000

export type Replayer = AsyncDisposable & {
  /** A replay was opened: look for it now instead of at the next beat. */
  wake(): void
}

/**
 * Carries out every replay that is open and that no other copy of control is at, those of copies that died among them. When it
 * is stopped, replays stay open for whoever comes next.
 */
export function startReplayer(deps: DeadLetterDeps, signal: AbortSignal): Replayer {
  const stopping = new AbortController()
  const ended = AbortSignal.any([signal, stopping.signal])
  const inHand = new Map<string, Promise<void>>()
  let timer: NodeJS.Timeout | undefined
  let turn = Promise.resolve()

  const take = (replay: Row<'replays'>): void => {
    if (inHand.has(replay.id)) return
    inHand.set(
      replay.id,
      carryOn(replay, deps, ended).finally(() => inHand.delete(replay.id)),
    )
  }
  const beat = async (): Promise<void> => {
    try {
      for (const replay of await readRunningReplays(deps.db)) if (!ended.aborted) take(replay)
    } catch (error) {
      if (!ended.aborted) deps.log.warn({ err: error }, 'Replays could not be looked for; they are looked for again')
    }
    schedule(BEAT_MS)
  }
  const schedule = (afterMs: number): void => {
    if (ended.aborted) return
    clearTimeout(timer)
    timer = setTimeout(() => {
      turn = turn.then(beat)
    }, afterMs)
  }
  schedule(0)
  return {
    wake: () => schedule(0),
    [Symbol.asyncDispose]: async () => {
      stopping.abort(new Error('Control is stopping'))
      clearTimeout(timer)
      await turn
      await Promise.all(inHand.values())
    },
  }
}

/** Never rejects: what fails is tried again at the next beat. */
async function carryOn(replay: Row<'replays'>, deps: DeadLetterDeps, signal: AbortSignal): Promise<void> {
  try {
    const taken = await takeQueues(replay.services, deps, { isReplay: true })
    if (taken.kind === 'refused') return
    using queues = taken
    await runReplay(replay, deps, AbortSignal.any([signal, queues.signal]))
  } catch (error) {
    if (!signal.aborted) deps.log.warn({ err: error, replayId: replay.id }, 'A replay was interrupted; it goes on soon')
  }
}
