import { setTimeout as delay } from 'node:timers/promises'
import { PATIENCE } from './patience.ts'

/** Asks until it is so; for what the broker tells nobody. */
export async function until(isSo: () => boolean | Promise<boolean>, timeoutMs = PATIENCE.timeout): Promise<void> {
  const deadline = performance.now() + timeoutMs
  while (!(await isSo())) {
    if (performance.now() > deadline) throw new Error(`Not so within ${timeoutMs} ms: ${isSo.toString()}`)
    await delay(PATIENCE.interval)
  }
}
