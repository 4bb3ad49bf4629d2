/** Nobody comes back sooner: it takes that long for shells to become free in numbers. */
const WAIT_MS_MIN = 2_000
/** However long the line is: the estimate it rests on may be wrong by then. */
const WAIT_MS_MAX = 60_000
/** Turns are given out that much faster than they are used up: shells must not run out of work because of an estimate. */
const OVERBOOKED = 2
/** How much the newest gap counts. */
const NEWEST = 0.05
/** A longer one is a time without work. */
const GAP_MS_MAX = 10_000

/**
 * When the messages that an organisation has no slot for come back: each gets a turn of its own, at the pace at which the
 * organisation gets through its messages. Were all to come back after the same short time, those of a large organisation would go
 * round and round, thousands each second, and take the machine from everybody.
 */
export class Turns {
  #gapMs = 0
  #finishedAt: number | undefined
  #lastTurn = 0

  /** A message of the organisation gave its slot back. */
  finished(now: number): void {
    const gapMs = now - (this.#finishedAt ?? now)
    this.#finishedAt = now
    if (gapMs <= GAP_MS_MAX) this.#gapMs += (gapMs - this.#gapMs) * NEWEST
  }

  /**
   * How long the next one waits. `shellsShare`: the part of the organisation's shells that this process has. The other copies have the
   * rest, and may be whom the message comes back to.
   */
  nextMs(now: number, shellsShare = 1): number {
    const stepMs = (this.#gapMs * shellsShare) / OVERBOOKED
    this.#lastTurn = Math.min(Math.max(this.#lastTurn, now + WAIT_MS_MIN) + stepMs, now + WAIT_MS_MAX)
    return Math.ceil(this.#lastTurn - now)
  }
}
