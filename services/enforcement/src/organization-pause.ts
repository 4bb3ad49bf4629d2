/** What an organisation's Exchange does to its messages: nothing, or they wait because it does not answer. */
export type OrganizationPauseOptions = { now: () => number; random: () => number }

const PAUSE_MS_MIN = 5_000
const PAUSE_MS_MAX = 60_000
/** A probe that has not come back after this long is taken for lost, and another message may try. */
const PROBE_MS = 180_000
/** So many failures in a row, none of which alone says that Exchange is down, do. */
const SUSPICIONS_MAX = 5

/**
 * The breaker of one organisation: closed while Exchange answers; open for growing pauses while it does not, when one message
 * after each pause goes first and the others wait for what becomes of it.
 */
export class OrganizationPause {
  readonly #options: OrganizationPauseOptions
  #pausedUntil: number | undefined
  #pauseMs = PAUSE_MS_MIN
  #probedAt: number | undefined
  #suspicions = 0

  constructor(options: OrganizationPauseOptions) {
    this.#options = options
  }

  get isPaused(): boolean {
    return this.#pausedUntil !== undefined
  }

  /** 0: go on. Otherwise for how long to stay away. */
  tryPass(): number {
    const now = this.#options.now()
    if (this.#pausedUntil === undefined) return 0
    const isProbing = this.#probedAt !== undefined && now - this.#probedAt < PROBE_MS
    if (now >= this.#pausedUntil && !isProbing) {
      this.#probedAt = now
      return 0
    }
    return this.waitMs()
  }

  /** How long a message should wait: until the pause ends, spread so that not all come back at once. */
  waitMs(): number {
    const restMs = Math.max((this.#pausedUntil ?? 0) - this.#options.now(), 1_000)
    return Math.ceil(restMs + this.#options.random() * this.#pauseMs * 0.5)
  }

  /** Exchange answered. true: it had not before. */
  succeeded(): boolean {
    const wasPaused = this.isPaused
    this.#pausedUntil = undefined
    this.#probedAt = undefined
    this.#pauseMs = PAUSE_MS_MIN
    this.#suspicions = 0
    return wasPaused
  }

  /** A probe was cut short and tells nothing: let another one try. */
  interrupted(): void {
    this.#probedAt = undefined
  }

  /** Nothing works with this Exchange now. true: the pause begins with this. */
  failed(askedMs = 0): boolean {
    const wasPaused = this.isPaused
    const isProbe = this.#probedAt !== undefined
    // Everything that was under way when it began fails too; only a probe tells that the pause was too short.
    if (wasPaused && !isProbe) return false
    if (isProbe) this.#pauseMs = Math.min(this.#pauseMs * 2, PAUSE_MS_MAX)
    this.#probedAt = undefined
    this.#pausedUntil = this.#options.now() + Math.max(this.#pauseMs, Math.min(askedMs, PAUSE_MS_MAX))
    return !wasPaused
  }

  /** Something failed that may be this message's own bad luck. true: it is one too many, and the pause begins. */
  suspect(): boolean {
    if (this.#probedAt !== undefined) return this.failed()
    this.#suspicions++
    return this.#suspicions >= SUSPICIONS_MAX && this.failed()
  }
}
