import type { Hold } from './dependency.ts'

export type HoldConsumptionOptions = {
  readonly read: () => Hold
  readonly nowMs: () => number
  /** Resolves early, without rejecting, when the signal is aborted. */
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>
  /** No message comes after this; what had not begun is given back. */
  readonly cancel: () => Promise<void>
  /** Lets one message go first and waits for what becomes of it. false: there is none. */
  readonly probe: (signal: AbortSignal) => Promise<boolean>
  readonly resume: () => void
}

/** Work that was in hand when it began may find out that the dependency answers again. */
const LOOK_AGAIN_MS = 1_000
/** A message that went first may have told nothing, for it was about something else. */
const BETWEEN_PROBES_MS = 250

/**
 * Keeps a consumer away from its queues while a dependency is paused: gives up the subscriptions, waits, then lets one
 * message at a time go first until one has shown that the dependency answers, or there is none. Each that fails goes to the
 * ladder, so none of them comes straight back; nothing is taken only to be given back.
 */
export async function holdConsumption(options: HoldConsumptionOptions, signal: AbortSignal): Promise<void> {
  const { read, nowMs, sleep, probe } = options
  await options.cancel()
  while (!signal.aborted) {
    const hold = read()
    if (hold.kind === 'none') break
    if (hold.kind === 'held') {
      await sleep(Math.min(Math.max(hold.pause.untilMs - nowMs(), 1), LOOK_AGAIN_MS), signal)
      continue
    }
    if (!(await probe(signal))) break
    if (read().kind === 'halfOpen') await sleep(BETWEEN_PROBES_MS, signal)
  }
  if (!signal.aborted) options.resume()
}
