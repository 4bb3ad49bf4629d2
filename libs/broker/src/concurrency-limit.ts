export type ConcurrencyLimitOptions = {
  /** The limit it begins with and never exceeds: what the prefetch was chosen for. */
  readonly ceiling: number
  readonly now: () => number
}

/** What a run that has ended tells: nothing, that it went well, or that too much was asked at once. */
export type RunSignal = 'fine' | 'overload' | 'nothing'

/** Each time overload shows, the limit is cut to this part of it. */
const DECREASE = 0.5
/** Latency this many times the baseline is still no sign of a queue: answers vary by themselves. */
const TOLERANCE = 3
const GRADIENT_MIN = 0.5
/** Samples that the baseline and the present latency are averaged over. */
const BASELINE_SAMPLES = 600
const PRESENT_SAMPLES = 20
/** Until then there is no baseline to judge by. */
const WARM_UP_SAMPLES = 100
/** How much of the way to its new estimate the limit goes with one sample. */
const SMOOTHING = 0.2
/** Below this nothing is worth slowing down for, whatever the ratio. */
const LATENCY_MS_MIN = 5

/**
 * How many messages a consumer may have in hand, moving between 1 and its ceiling. Two established rules, of which the
 * stricter counts:
 *
 * - AIMD, as TCP Reno's congestion avoidance (RFC 5681 §3.1) and Netflix concurrency-limits' `AIMDLimit`: one more for every
 *   round of runs that went well, half as many when one was throttled or timed out. As in TCP a round is cut once: what was
 *   already running at the last cut says nothing about the limit since.
 * - by latency, as Netflix concurrency-limits' `Gradient2Limit`: limit × (tolerance × long-term latency ÷ present latency, 0.5
 *   to 1) + √limit. Only for who reports latencies, since only the handler knows which part of its time was the
 *   dependency's: what a message waits in a queue of our own is no sign of overload.
 *
 * It costs a few additions a message, has no timer and takes its clock from outside.
 */
export class ConcurrencyLimit {
  readonly ceiling: number
  readonly #now: () => number
  #byLoss: number
  #byLatency: number
  #cutAt = Number.NEGATIVE_INFINITY
  #baselineMs = 0
  #presentMs = 0
  #samples = 0

  constructor(options: ConcurrencyLimitOptions) {
    this.ceiling = options.ceiling
    this.#now = options.now
    this.#byLoss = options.ceiling
    this.#byLatency = options.ceiling
  }

  get current(): number {
    return Math.max(1, Math.floor(Math.min(this.#byLoss, this.#byLatency)))
  }

  /** A run has ended. `inHand`: how many ran, itself included: a limit that is not used up is not raised. */
  ended(signal: RunSignal, run: { readonly startedAt: number; readonly inHand: number }): void {
    if (signal === 'nothing') return
    if (signal === 'overload') {
      if (run.startedAt < this.#cutAt) return
      this.#byLoss = Math.max(1, this.current * DECREASE)
      this.#cutAt = this.#now()
      return
    }
    if (this.#byLoss < this.ceiling && run.inHand * 2 >= this.current)
      this.#byLoss = Math.min(this.ceiling, this.#byLoss + 1 / this.#byLoss)
  }

  /** How long the dependency took over one message, without what it waited for a turn on our side. */
  measured(latencyMs: number): void {
    const sample = Math.max(latencyMs, LATENCY_MS_MIN)
    this.#samples += 1
    this.#baselineMs += (sample - this.#baselineMs) / Math.min(this.#samples, BASELINE_SAMPLES)
    this.#presentMs += (sample - this.#presentMs) / Math.min(this.#samples, PRESENT_SAMPLES)
    if (this.#samples < WARM_UP_SAMPLES) return
    // A baseline that was learnt in bad times comes down fast, else it would hide the next bad time.
    if (this.#baselineMs > this.#presentMs * 2) this.#baselineMs *= 0.95
    const gradient = Math.max(GRADIENT_MIN, Math.min(1, (TOLERANCE * this.#baselineMs) / this.#presentMs))
    const estimate = this.#byLatency * gradient + Math.sqrt(this.#byLatency)
    const next = this.#byLatency * (1 - SMOOTHING) + estimate * SMOOTHING
    this.#byLatency = Math.min(this.ceiling, Math.max(1, next))
  }
}
