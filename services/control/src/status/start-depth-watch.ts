import { UNROUTED } from '@gatehouse/broker'
import type { ControlDeps } from '../control-deps.ts'
import type { QueueDepths } from './queue-depths.ts'
import { startWatch } from './start-watch.ts'

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
  const { read, set, everyMs, log } = options
  let unrouted = 0
  const look = async (signal: AbortSignal): Promise<void> => {
    const depths = await read(signal)
    for (const [queue, ready] of depths) set(queue, ready)
    const now = depths.get(UNROUTED) ?? 0
    if (now > unrouted) log.error({ queue: UNROUTED, count: now }, 'No queue takes some messages: apply the topology')
    unrouted = now
  }
  const onFailure = (error: unknown): void => log.debug({ err: error }, 'The queues could not be looked at')
  return startWatch({ look, everyMs, onFailure })
}
