/** Above this, what a round trip costs is not worth a command tied to a shell that may hang. */
const DURATION_MS_MAX = 1_000
/** A command that really waited for its turn takes at least this part of what commands usually take. */
const WAITED_SHARE = 0.5
/** What came to nothing counts as several: with it may go a shell. */
const TRIES_MAX = 8
const TRIES_OF_A_FAILURE = 4
const GAIN = 1 / 16

type Ended = { readonly isAhead: boolean; readonly durationMs: number }

/**
 * Whether commands may be sent ahead to shells that still run another: PowerShell's RunspacePool lets a pipeline wait for its
 * runspace, but nobody has promised it for every server that speaks the protocol. One command at a time is tried until one
 * has shown, by when it ended, that it had waited for its turn. A server where that fails is not asked again.
 */
export class AheadTrial {
  private state: 'trying' | 'proven' | 'refused' = 'trying'
  private tries = 0
  private usualMs: number | undefined

  /** How many commands may wait on the server at once, over all shells. */
  get aheadMax(): number {
    if (this.usualMs === undefined || this.usualMs > DURATION_MS_MAX || this.state === 'refused') return 0
    return this.state === 'proven' ? Number.POSITIVE_INFINITY : 1
  }

  /** A command has ended; `durationMs` is from its turn on. */
  ended({ isAhead, durationMs }: Ended): void {
    if (isAhead && this.state === 'trying') {
      if (this.usualMs !== undefined && durationMs >= this.usualMs * WAITED_SHARE) this.state = 'proven'
      else this.tried(1)
    }
    this.usualMs = this.usualMs === undefined ? durationMs : this.usualMs + GAIN * (durationMs - this.usualMs)
  }

  /** A command that was sent ahead came to nothing. `isTooMany`: the server has no room for it. */
  failed(isTooMany: boolean): void {
    if (this.state === 'trying') this.tried(TRIES_OF_A_FAILURE)
    if (isTooMany) this.state = 'refused'
  }

  private tried(times: number): void {
    this.tries += times
    if (this.tries >= TRIES_MAX) this.state = 'refused'
  }
}
