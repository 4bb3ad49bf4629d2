/** What a pool does in the background, and must have ended before the pool is closed. */
export class Activities {
  private readonly running = new Set<Promise<void>>()
  private readonly onError: (error: unknown) => void

  constructor(onError: (error: unknown) => void) {
    this.onError = onError
  }

  track(activity: Promise<void>): void {
    const tracked = activity.catch(this.onError).finally(() => this.running.delete(tracked))
    this.running.add(tracked)
  }

  /** Resolves when none is left, those included that others have begun meanwhile. Never rejects. */
  async ended(): Promise<void> {
    while (this.running.size > 0) await Promise.all(this.running)
  }
}
