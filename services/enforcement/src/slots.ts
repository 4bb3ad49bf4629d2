import type { Organization } from './organization.ts'

/** The messages that this process may have in hand, shared between the organisations that have work. */
export class Slots {
  readonly #max: number
  readonly #now: () => number
  #working = 0

  constructor(options: { max: number; now: () => number }) {
    this.#max = options.max
    this.#now = options.now
  }

  /** What one of those that have work may take of them, `organization` among them. */
  shareOf(organization: Organization): number {
    return Math.floor(this.#max / (this.#working + (organization.inHand === 0 ? 1 : 0)))
  }

  /** For how long a message waits that finds its organisation's part taken. */
  nextTurnMs(organization: Organization): number {
    const { connection, runspaces, turns } = organization
    return turns.nextMs(this.#now(), Math.min(1, (connection.shellsAllowed ?? runspaces) / runspaces))
  }

  /** Takes one, until it is disposed. */
  take(organization: Organization): Disposable {
    if (organization.inHand === 0) this.#working++
    organization.inHand++
    return {
      [Symbol.dispose]: () => {
        organization.inHand--
        if (organization.inHand === 0) this.#working--
        organization.turns.finished(this.#now())
      },
    }
  }
}
