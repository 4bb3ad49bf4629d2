import type { Clock } from '../src/index.ts'

/** A clock that stands still until `advance` moves it, running the timers that fall due, in order. */
export class HandDrivenClock implements Clock {
  private time = 0
  private readonly timers = new Set<{ at: number; run: () => void }>()

  now(): number {
    return this.time
  }

  setTimeout(run: () => void, ms: number): () => void {
    const timer = { at: this.time + ms, run }
    this.timers.add(timer)
    return () => this.timers.delete(timer)
  }

  /** How many timers are set: none may be left when everything is disposed of. */
  get pending(): number {
    return this.timers.size
  }

  advance(ms: number): void {
    const until = this.time + ms
    for (;;) {
      let next: { at: number; run: () => void } | undefined
      for (const timer of this.timers) if (timer.at <= until && (next === undefined || timer.at < next.at)) next = timer
      if (next === undefined) break
      this.timers.delete(next)
      this.time = Math.max(this.time, next.at)
      next.run()
    }
    this.time = until
  }
}
