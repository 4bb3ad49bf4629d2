import { UNROUTED } from '@gatehouse/broker'
import type { ControlDeps } from '../control-deps.ts'
import type { QueueDepths } from './queue-depths.ts'

export type DepthWatchOptions = {
  readonly read: (signal: AbortSignal) => Promise<QueueDepths>
  readonly set: (queue: string, ready: number) => void
  readonly everyMs: number
  readonly log: Pick<ControlDeps['log'], 'error' | 'debug'>
}

/**
 * Looks at the queues every few seconds, for Prometheus, and says so when there is something in `gh.unrouted`: nobody
 * consumes it, and each message in it is one that no queue took.
 */
export function startDepthWatch(options: DepthWatchOptions): AsyncDisposable {
  const { read, set, log } = options
  const stop = new AbortController()
  let unrouted = 0
  let underWay: Promise<void> | undefined
  const look = async (): Promise<void> => {
    const depths = await read(stop.signal)
    for (const [queue, ready] of depths) set(queue, ready)
    const now = depths.get(UNROUTED) ?? 0
    if (now > unrouted) log.error({ queue: UNROUTED, ready: now }, 'No queue takes some messages: apply the topology')
    unrouted = now
  }
  const begin = (): void => {
    underWay ??= look()
      .catch((error: unknown) => log.debug({ err: error }, 'The queues could not be looked at'))
      .finally(() => {
        underWay = undefined
      })
  }
  begin()
  const timer = setInterval(begin, options.everyMs)
  timer.unref()
  return {
    [Symbol.asyncDispose]: async () => {
      clearInterval(timer)
      stop.abort(new Error('The worker stops'))
      await underWay
    },
  }
}
