import { ConcurrencyLimit, type Pause } from '@gatehouse/broker'
import type { MailSender } from '@gatehouse/mail'
import { abortReason } from '@gatehouse/messages'

export type OutboxSettings = { readonly messagesPerMinute: number; readonly enrolUrl: string }

/**
 * How an attempt to send ended. `refused`: this recipient, for good; `account`: everybody; `busy`: the server asked for rest;
 * `unreachable`: nobody took it; `error`: anything else, the lost answer among it.
 */
export type SendOutcome = 'sent' | 'refused' | 'account' | 'busy' | 'unreachable' | 'error'

export type OutboxOptions = {
  readonly sender: MailSender
  readonly settings: OutboxSettings
  /** Sends under way at most; fewer while the server is slow or busy. */
  readonly sendsMax: number
  /** Takes note, for Prometheus, of how an attempt to send ended. */
  readonly count?: (outcome: SendOutcome) => void
}

/**
 * What this process knows about sending for one organisation: its sender, how many sends may be under way, until when the
 * server asked for rest, and which waiting message is to come back when.
 */
export class Outbox {
  readonly sender: MailSender
  readonly enrolUrl: URL
  readonly count: (outcome: SendOutcome) => void
  /** Rates of at least one a second are counted by the second: the same rate without bursts, and a cheaper count. */
  readonly rate: { readonly messagesMax: number; readonly windowMs: number }
  readonly #limit: ConcurrencyLimit
  #sending = 0
  readonly #waiting: (() => void)[] = []
  #pause: Pause | undefined
  #lastTurn = 0
  #accountFailures = new Set<string>()

  constructor(options: OutboxOptions) {
    this.sender = options.sender
    this.count = options.count ?? (() => {})
    this.enrolUrl = new URL(options.settings.enrolUrl)
    const perMinute = options.settings.messagesPerMinute
    this.rate =
      perMinute < 60
        ? { messagesMax: perMinute, windowMs: 60_000 }
        : { messagesMax: Math.floor(perMinute / 60), windowMs: 1_000 }
    this.#limit = new ConcurrencyLimit({ ceiling: options.sendsMax, now: () => performance.now() })
  }

  /** A slot to send in, in the order of asking; given back when disposed. Rejects with the signal's reason. */
  async takeSlot(signal: AbortSignal): Promise<Disposable> {
    signal.throwIfAborted()
    if (this.#sending < this.#limit.current) this.#sending += 1
    else await this.#waitForSlot(signal)
    let isHeld = true
    return {
      [Symbol.dispose]: () => {
        if (!isHeld) return
        isHeld = false
        this.#sending -= 1
        this.#admit()
      },
    }
  }

  /** The next ones take their slots here and now, so that nobody who comes later can. */
  #admit(): void {
    while (this.#sending < this.#limit.current) {
      const next = this.#waiting.shift()
      if (next === undefined) return
      this.#sending += 1
      next()
    }
  }

  /** A send has ended, well or because the server is busy; how long the server took is only known of the former. */
  noteSend(send: { readonly startedAt: number; readonly isBusy: boolean }): void {
    this.#limit.ended(send.isBusy ? 'overload' : 'fine', { startedAt: send.startedAt, inHand: this.#sending })
    if (!send.isBusy) this.#limit.measured(performance.now() - send.startedAt)
  }

  async #waitForSlot(signal: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const take = () => {
      // From here on the slot is taken: an abort may no longer touch the queue.
      signal.removeEventListener('abort', abort)
      resolve()
    }
    const abort = () => {
      this.#waiting.splice(this.#waiting.indexOf(take), 1)
      reject(abortReason(signal))
    }
    this.#waiting.push(take)
    signal.addEventListener('abort', abort, { once: true })
    await promise
  }

  /** For how long nothing may be sent: the server asked for it, or the account is refused. */
  pauseMs(now: number): number {
    return Math.max(0, (this.#pause?.untilMs ?? 0) - now)
  }

  pause(forMs: number, now: number, reason = ''): void {
    const untilMs = Math.max(this.#pause?.untilMs ?? 0, now + forMs)
    this.#pause = { sinceMs: this.#pause?.sinceMs ?? now, untilMs, reason }
  }

  /** The last pause, even after its end, until the server has taken or refused a mail. */
  get lastPause(): Pause | undefined {
    return this.#pause
  }

  /** The server has dealt with a mail. What was under way when it asked for rest does not end its rest. */
  noteAnswered(now: number): void {
    if (this.pauseMs(now) === 0) this.#pause = undefined
  }

  /**
   * When a bulk message that met the rate limit is to come back: each gets a turn of its own, so that a backlog does not return
   * all at once to be refused again. An urgent one takes the first place that becomes free.
   */
  nextTurnMs(freeInMs: number, lane: 'bulk' | 'urgent', now: number): number {
    if (lane === 'urgent') return freeInMs
    const spacingMs = this.rate.windowMs / this.rate.messagesMax
    this.#lastTurn = Math.max(now + freeInMs, this.#lastTurn + spacingMs)
    return Math.ceil(this.#lastTurn - now)
  }

  /** Two different notices refused because of the account, with none sent in between, mean that it is the account indeed. */
  noteAccountFailure(noticeId: string): { isProven: boolean } {
    this.#accountFailures.add(noticeId)
    return { isProven: this.#accountFailures.size > 1 }
  }

  noteSent(now: number): void {
    this.noteAnswered(now)
    this.#accountFailures.clear()
  }
}

export function createOutbox(options: OutboxOptions): Outbox {
  return new Outbox(options)
}
