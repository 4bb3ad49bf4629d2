import { pruneProcessedMessages, type Store } from '@gatehouse/store'

/** Far longer than an action may be asked for in advance (a day): by then a copy of its message is refused for its age. */
const KEPT_MS = 8 * 24 * 3_600_000
const BEAT_MS = 6 * 3_600_000

/** Forgets, now and every six hours, the messages that are too old to come again. */
export function startPruning(
  pool: Store['pool'],
  log: { warn(fields: object, message: string): void; debug(fields: object, message: string): void },
): AsyncDisposable {
  let pruning = Promise.resolve()
  const prune = async (): Promise<void> => {
    try {
      const count = await pruneProcessedMessages(pool, { service: 'enforcement', olderThanMs: KEPT_MS })
      log.debug({ count }, 'Forgot old messages')
    } catch (error) {
      log.warn({ err: error }, 'Old messages could not be forgotten; it is tried again in some hours')
    }
  }
  const beat = (): void => {
    pruning = pruning.then(prune)
  }
  const timer = setInterval(beat, BEAT_MS).unref()
  beat()
  return {
    [Symbol.asyncDispose]: async () => {
      clearInterval(timer)
      await pruning
    },
  }
}
