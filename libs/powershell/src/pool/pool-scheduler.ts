import { StartPace } from './start-pace.ts'
import { UrgentQueue } from './urgent-queue.ts'

export type SchedulerOptions = {
  readonly shellsMax: number
  /** After a quota fault took a shell away: how long until one more is tried. Doubles each time it is too early. */
  readonly growBackMs: number
}

export type Step =
  /** `isAhead`: the shell still runs another command, and this one waits on the server for its turn. */
  | { readonly kind: 'run'; readonly jobId: number; readonly shellId: number; readonly isAhead: boolean }
  | { readonly kind: 'open' }
  /** Nothing to do before that moment. */
  | { readonly kind: 'wait'; readonly until: number }

const GROW_BACK_DOUBLINGS_MAX = 5
const OPEN_RETRY_MS_MIN = 250
const OPEN_RETRY_MS_MAX = 30_000
/** Starts that may be made up for when shells became free too late for their moment. */
const LATE_STARTS_MAX = 2

/**
 * Decides what a pool of shells does next: which command runs where, when another shell is opened, and how the pool gives
 * way when Exchange says that it is too much. Pure: time comes in as `now`, and nothing is done but told by `next`.
 */
export class PoolScheduler {
  private readonly options: SchedulerOptions
  private readonly queue = new UrgentQueue()
  /** Last in, first out: shells that are not needed get old and are closed. */
  private readonly idle: number[] = []
  /** Shells that run a command. */
  private readonly busy = new Set<number>()
  /** Those of them that can be sent another ahead, the one that has run longest first. */
  private readonly takers = new Set<number>()
  /** Those of them that have been. */
  private readonly sentAhead = new Set<number>()
  private openingCount = 0
  private allowed: number
  private growAt = Number.POSITIVE_INFINITY
  private growBackDoublings = 0
  private pausedUntil = Number.NEGATIVE_INFINITY
  /** Shells to be opened before there is work for them. */
  private prepared = 0
  private openNotBefore = Number.NEGATIVE_INFINITY
  private openFailures = 0
  private readonly pace = new StartPace()
  private nextStartAt = Number.NEGATIVE_INFINITY

  constructor(options: SchedulerOptions) {
    this.options = options
    this.allowed = options.shellsMax
  }

  get shells(): { idle: number; busy: number; opening: number; allowed: number } {
    return { idle: this.idle.length, busy: this.busy.size, opening: this.openingCount, allowed: this.allowed }
  }

  get queued(): number {
    return this.queue.size
  }

  /** Until when no command is started; in the past when there is no such pause. */
  get pauseEnds(): number {
    return this.pausedUntil
  }

  add(jobId: number, priority: 'urgent' | 'bulk'): void {
    this.queue.add(jobId, priority)
  }

  /** Puts a job back that could not be started, before those of its priority that came later. */
  putBack(jobId: number, priority: 'urgent' | 'bulk'): void {
    this.queue.addFirst(jobId, priority)
  }

  /** False when the job is not waiting. */
  cancel(jobId: number): boolean {
    return this.queue.remove(jobId)
  }

  /**
   * The next thing to do, already counted as begun; undefined when only an event from outside changes anything. `aheadMax`: how
   * many commands may wait on the server at once, over all shells.
   */
  next(now: number, aheadMax = 0): Step | undefined {
    this.growBack(now)
    if (this.queue.size === 0) return this.openAhead(now)
    if (now < this.pausedUntil) return { kind: 'wait', until: this.pausedUntil }
    if (this.idle.length > 0) return this.startWhenPaced(now, false)
    const total = this.busy.size + this.openingCount
    // A shell takes a second or more to open: not more of them than there is work waiting for. After a failure one at a time, or
    // there would always be another attempt to wait for at a server that takes a minute to fail each.
    if (total < this.allowed && this.openingCount < (this.openFailures > 0 ? 1 : this.queue.size)) {
      if (now < this.openNotBefore) return { kind: 'wait', until: this.openNotBefore }
      this.openingCount++
      return { kind: 'open' }
    }
    // Only with work for every shell: a command that is tied to one would else miss another that becomes free earlier.
    if (this.takers.size > 0 && this.sentAhead.size < aheadMax && this.queue.size >= this.busy.size)
      return this.startWhenPaced(now, true)
    return this.growAt < Number.POSITIVE_INFINITY ? { kind: 'wait', until: this.growAt } : undefined
  }

  /** Work is about to come: this many shells may be opened before it is there. Forgotten once they are, or one cannot be. */
  prepare(shells: number): void {
    this.prepared = shells
  }

  private openAhead(now: number): Step | undefined {
    const total = this.busy.size + this.openingCount + this.idle.length
    if (total >= Math.min(this.prepared, this.allowed)) this.prepared = 0
    if (this.prepared === 0) return undefined
    if (now < this.openNotBefore) return { kind: 'wait', until: this.openNotBefore }
    this.openingCount++
    return { kind: 'open' }
  }

  /** A shell that was opened without being asked for by `next`. */
  openedFirst(shellId: number): void {
    this.idle.push(shellId)
  }

  opened(shellId: number): void {
    this.openingCount--
    this.openFailures = 0
    this.idle.push(shellId)
    if (this.busy.size + this.idle.length >= this.options.shellsMax) this.growBackDoublings = 0
  }

  /** An opening shell failed for a reason of its own: the next attempt waits a little, longer each time. */
  openFailed(now: number): void {
    this.prepared = 0
    this.openingCount--
    // It began before another of the same failure was known.
    if (now < this.openNotBefore) return
    const delayMs = Math.min(OPEN_RETRY_MS_MAX, OPEN_RETRY_MS_MIN * 2 ** Math.min(this.openFailures, 10))
    this.openFailures++
    this.openNotBefore = now + delayMs
  }

  /**
   * An opening shell was refused since there are too many: no more than now are opened until `growBackMs` have passed, or
   * `retryMs` when whoever refused is worth asking again after that time.
   */
  openRefused(now: number, retryMs?: number): void {
    this.prepared = 0
    this.openingCount--
    const open = this.busy.size + this.idle.length
    this.allowed = Math.max(1, Math.min(this.allowed, open + this.openingCount))
    this.growAt = now + (retryMs ?? this.options.growBackMs * 2 ** this.growBackDoublings)
    if (retryMs === undefined) this.growBackDoublings = Math.min(GROW_BACK_DOUBLINGS_MAX, this.growBackDoublings + 1)
    // With not a single shell open there is still one to be opened, but not at once.
    if (open === 0) this.openNotBefore = this.growAt
  }

  /** A command in this shell is over. True: the shell is now idle; false: it goes on with the one that was sent ahead. */
  freed(shellId: number): boolean {
    const isIdle = this.retired(shellId)
    if (isIdle) this.idle.push(shellId)
    else this.takers.add(shellId)
    return isIdle
  }

  /** A command in a shell that takes no more is over. True: there is no other in it, and the shell is forgotten. */
  retired(shellId: number): boolean {
    this.takers.delete(shellId)
    return !this.sentAhead.delete(shellId) && this.busy.delete(shellId)
  }

  /** Takes an idle shell out, to be closed. False when it is not idle. */
  takeIdle(shellId: number): boolean {
    const index = this.idle.indexOf(shellId)
    if (index < 0) return false
    this.idle.splice(index, 1)
    return true
  }

  /** Nothing is started for exactly this long: Exchange counts what comes earlier against the next pause. */
  pause(now: number, ms: number): void {
    this.pausedUntil = Math.max(this.pausedUntil, now + ms)
  }

  /** A command ended that Exchange had delayed on its own by so much, or not at all: delays space the starts. */
  finish(now: number, command: { durationMs: number; delayedMs: number }): void {
    this.pace.finish(now, command, Math.max(1, this.busy.size + this.idle.length))
  }

  private startWhenPaced(now: number, isAhead: boolean): Step | undefined {
    if (now < this.nextStartAt) return { kind: 'wait', until: this.nextStartAt }
    const jobId = this.queue.take()
    const shellId = isAhead ? this.takeAhead() : this.takeLastIdle()
    if (jobId === undefined || shellId === undefined) return undefined
    const paceMs = this.pace.at(now)
    this.nextStartAt = paceMs === 0 ? now : Math.max(this.nextStartAt, now - LATE_STARTS_MAX * paceMs) + paceMs
    return { kind: 'run', jobId, shellId, isAhead }
  }

  private takeLastIdle(): number | undefined {
    const shellId = this.idle.pop()
    if (shellId === undefined) return undefined
    this.busy.add(shellId)
    this.takers.add(shellId)
    return shellId
  }

  private takeAhead(): number | undefined {
    const [shellId] = this.takers
    if (shellId === undefined) return undefined
    this.takers.delete(shellId)
    this.sentAhead.add(shellId)
    return shellId
  }

  private growBack(now: number): void {
    if (now < this.growAt) return
    this.allowed++
    if (this.allowed >= this.options.shellsMax) {
      this.allowed = this.options.shellsMax
      this.growAt = Number.POSITIVE_INFINITY
      return
    }
    this.growAt = now + this.options.growBackMs
  }
}
