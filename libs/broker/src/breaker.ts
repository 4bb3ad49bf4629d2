export type BreakerOptions = {
  readonly now: () => number
  readonly random: () => number
  /** The first pause; it doubles with every probe that fails. */
  readonly pauseMsMin?: number
  readonly pauseMsMax?: number
  /** The most that is believed of what the other side asks for. */
  readonly askedMsMax?: number
}

/** Since when nothing is sent to a dependency, until when, and what it said. */
export type Pause = { readonly sinceMs: number; readonly untilMs: number; readonly reason: string }

const PAUSE_MS_MIN = 5_000
const PAUSE_MS_MAX = 60_000
/** A probe that has not come back after this long is taken for lost, and another message may try. */
const PROBE_MS = 180_000
/** So many failures in a row, none of which alone says that the dependency is down, do. */
const SUSPICIONS_MAX = 5
const REASON_CHARACTERS_MAX = 300

/**
 * The breaker of one dependency: closed while it answers; open for growing pauses while it does not, when one message after
 * each pause goes first and the others wait for what becomes of it.
 */
export class Breaker {
  readonly #options: Required<BreakerOptions>
  #pause: Pause | undefined
  #pauseMs: number
  #probedAt: number | undefined
  #suspicions = 0

  constructor(options: BreakerOptions) {
    const pauseMsMax = options.pauseMsMax ?? PAUSE_MS_MAX
    this.#options = { pauseMsMin: PAUSE_MS_MIN, askedMsMax: pauseMsMax, ...options, pauseMsMax }
    this.#pauseMs = this.#options.pauseMsMin
  }

  /** Undefined while the dependency answers. One whose end has passed goes on until a probe has succeeded. */
  get pause(): Pause | undefined {
    return this.#pause
  }

  /** 0: go on. Otherwise for how long to stay away. */
  tryPass(): number {
    const now = this.#options.now()
    if (this.#pause === undefined) return 0
    const isProbing = this.#probedAt !== undefined && now - this.#probedAt < PROBE_MS
    if (now >= this.#pause.untilMs && !isProbing) {
      this.#probedAt = now
      return 0
    }
    return this.waitMs()
  }

  /** How long a message should wait: until the pause ends, spread so that not all come back at once. */
  waitMs(): number {
    const restMs = Math.max((this.#pause?.untilMs ?? 0) - this.#options.now(), 1_000)
    return Math.ceil(restMs + this.#options.random() * this.#pauseMs * 0.5)
  }

  /** The dependency answered. true: it had not before. */
  succeeded(): boolean {
    const wasPaused = this.#pause !== undefined
    this.#pause = undefined
    this.#probedAt = undefined
    this.#pauseMs = this.#options.pauseMsMin
    this.#suspicions = 0
    return wasPaused
  }

  /** A probe was cut short and tells nothing: let another one try. */
  interrupted(): void {
    this.#probedAt = undefined
  }

  /** Nothing works with this dependency now. true: the pause begins with this. */
  failed(askedMs = 0, reason = ''): boolean {
    const { now, pauseMsMax, askedMsMax } = this.#options
    const before = this.#pause
    const isProbe = this.#probedAt !== undefined || (before !== undefined && now() >= before.untilMs)
    // Everything that was under way when it began fails too; only a probe tells that the pause was too short.
    if (before !== undefined && !isProbe) return false
    if (before !== undefined) this.#pauseMs = Math.min(this.#pauseMs * 2, pauseMsMax)
    this.#probedAt = undefined
    this.#pause = {
      sinceMs: before?.sinceMs ?? now(),
      untilMs: now() + Math.max(this.#pauseMs, Math.min(askedMs, askedMsMax)),
      reason: reason.slice(0, REASON_CHARACTERS_MAX),
    }
    return before === undefined
  }

  /** Something failed that may be this message's own bad luck. true: it is one too many, and the pause begins. */
  suspect(reason = ''): boolean {
    if (this.#probedAt !== undefined) return this.failed(0, reason)
    this.#suspicions++
    return this.#suspicions >= SUSPICIONS_MAX && this.failed(0, reason)
  }
}
