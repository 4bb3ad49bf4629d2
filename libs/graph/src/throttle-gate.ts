import { setTimeout as sleep } from 'node:timers/promises'
import { abortReason, RetryableError } from '@gatehouse/messages'

/** A message that comes back a moment early is worth this wait; anything longer goes through the delay ladder. */
const EARLY_MS_MAX = 250
const KEYS_MAX = 10_000

export type ThrottleGate = ReturnType<typeof createThrottleGate>

/** Remembers until when Graph does not want to hear a thing again. A call before that counts against us and starts the wait anew. */
export function createThrottleGate(now: () => number = () => performance.now()) {
  const closedUntil = new Map<string, number>()

  function remainingMs(key: string): number {
    const until = closedUntil.get(key)
    if (until === undefined) return 0
    const left = Math.ceil(until - now())
    if (left > 0) return left
    closedUntil.delete(key)
    return 0
  }

  return {
    remainingMs,
    close(key: string, forMs: number): void {
      if (closedUntil.size >= KEYS_MAX) for (const closed of [...closedUntil.keys()]) remainingMs(closed)
      if (closedUntil.size < KEYS_MAX) closedUntil.set(key, now() + forMs)
    },
    /** Passes when the key is open, or all but open. Throws RetryableError('graph-throttled'), without a request. */
    async pass(key: string, signal: AbortSignal): Promise<void> {
      for (let left = remainingMs(key); left > 0; left = remainingMs(key)) {
        if (left > EARLY_MS_MAX) throw throttled(left)
        await sleep(left, undefined, { signal }).catch(() => {
          throw abortReason(signal)
        })
      }
    },
  }
}

export function throttled(retryAfterMs: number | undefined): RetryableError {
  return new RetryableError('graph-throttled', 'Graph is throttling us', { retryAfterMs })
}
