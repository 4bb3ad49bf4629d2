import { setTimeout as delay } from 'node:timers/promises'

/** Lets letters go at a rate, evenly: each turn is taken in advance, so that many may wait at once. */
export class ReplayPace {
  readonly #intervalMs: number
  #nextAt = 0

  constructor(ratePerSecond: number | undefined) {
    this.#intervalMs = ratePerSecond === undefined ? 0 : 1_000 / ratePerSecond
  }

  /** Resolves when it is this letter's turn. */
  async turn(signal: AbortSignal): Promise<void> {
    if (this.#intervalMs === 0) return
    const now = performance.now()
    const at = Math.max(now, this.#nextAt)
    this.#nextAt = at + this.#intervalMs
    if (at > now) await delay(at - now, undefined, { signal })
  }
}
