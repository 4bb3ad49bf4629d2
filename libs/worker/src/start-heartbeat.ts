import { deleteWorkerState, type Store, storeWorkerState } from '@gatehouse/store'
import type { Logger } from './create-logger.ts'
import type { WorkerState } from './worker-state.ts'

export type HeartbeatOptions = {
  readonly pool: Store['pool']
  /** Names this copy. */
  readonly holder: string
  readonly worker: string
  readonly everyMs: number
  readonly read: () => WorkerState
  readonly log: Pick<Logger, 'debug'>
}

/**
 * Writes what this copy says of itself into the database every few seconds, for `gatehouse status`: nobody else knows what
 * it holds and what it waits for. Nothing depends on it, so a beat that fails is left out. Disposing takes the row away.
 */
export function startHeartbeat(options: HeartbeatOptions): AsyncDisposable {
  const { pool, holder, worker, read, log } = options
  const startedAt = new Date()
  let underWay: Promise<void> | undefined
  const begin = (work: () => Promise<void>): void => {
    underWay ??= work()
      .catch((error: unknown) => log.debug({ err: error }, 'A heartbeat was left out'))
      .finally(() => {
        underWay = undefined
      })
  }
  const beat = (): Promise<void> => storeWorkerState(pool, { holder, worker, startedAt, state: read() })
  begin(async () => {
    await deleteWorkerState(pool, holder)
    await beat()
  })
  const timer = setInterval(() => begin(beat), options.everyMs)
  timer.unref()
  return {
    [Symbol.asyncDispose]: async () => {
      clearInterval(timer)
      await underWay
      await deleteWorkerState(pool, holder).catch((error: unknown) => log.debug({ err: error }, 'The last state stays'))
    },
  }
}
