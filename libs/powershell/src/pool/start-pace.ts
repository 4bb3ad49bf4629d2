const WINDOW_MS = 1_000
const PACE_MS_MAX = 1_000
/** How much one window counts in the running share. */
const GAIN = 0.25
/** The pace after a window without a delay, as a part of the pace before. */
const RECOVERY = 0.8

/**
 * How far apart commands are started while Exchange delays some of them on its own ("Micro delay applied"). After RFC 8257,
 * with the delayed command for the marked packet: each second in which one was delayed, starts become rarer by half the share
 * of commands that were; each second without, they become more frequent. One command in a hundred delayed slows nothing that
 * could be noticed; all of them halve the rate until none is.
 */
export class StartPace {
  private finished = 0
  private delayed = 0
  private durationMs = 0
  private share = 0
  private paceMs = 0
  private windowStart = Number.NEGATIVE_INFINITY

  /** A command has ended, one of at most `shells` at a time. */
  finish(now: number, command: { durationMs: number; delayedMs: number }, shells: number): void {
    this.closeWindows(now)
    this.finished++
    this.durationMs += Math.max(command.durationMs, command.delayedMs)
    if (command.delayedMs === 0) return
    this.delayed++
    // Slows from the first delay on: nothing is known yet of what share it will be.
    if (this.paceMs === 0) this.paceMs = this.durationMs / this.finished / shells
  }

  /** Milliseconds from one start to the next; 0: no need to wait. */
  at(now: number): number {
    if (this.paceMs > 0) this.closeWindows(now)
    return this.paceMs
  }

  private closeWindows(now: number): void {
    const windows = Math.floor((now - this.windowStart) / WINDOW_MS)
    if (windows < 1) return
    this.closeWindow()
    // A pool without work has had no delays either.
    if (windows > 1) this.recover(windows - 1)
    this.windowStart = windows === Number.POSITIVE_INFINITY ? now : this.windowStart + windows * WINDOW_MS
  }

  private closeWindow(): void {
    const { finished, delayed } = this
    if (finished === 0) {
      this.recover(1)
      return
    }
    this.share += GAIN * (delayed / finished - this.share)
    if (delayed > 0) this.paceMs = Math.min(PACE_MS_MAX, this.paceMs / (1 - this.share / 2))
    else this.recover(1, WINDOW_MS / finished)
    this.finished = 0
    this.delayed = 0
    this.durationMs = 0
  }

  /** Forgets the pace once it is twice as fast as what is really done: it holds nothing back any more. */
  private recover(windows: number, spacingMs = 2): void {
    this.paceMs *= RECOVERY ** windows
    if (this.paceMs < spacingMs / 2) this.paceMs = 0
  }
}
