import { setTimeout as wait } from 'node:timers/promises'
import type { Logger } from './create-logger.ts'

/**
 * Keeps a process that could not start from being started again at once, which would only fill the log: what is wrong, people must
 * put right. Ends early when it is asked to stop.
 */
export async function delayExit(seconds: number, log: Logger, signal: AbortSignal): Promise<void> {
  if (seconds === 0) return
  log.info({ restartDelaySeconds: seconds }, 'Waiting before it exits (worker.restartDelaySeconds)')
  await wait(seconds * 1_000, undefined, { signal }).catch(() => {})
}
