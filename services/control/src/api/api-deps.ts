import type { ControlDeps } from '../control-deps.ts'
import type { DeadLetterDeps } from '../dead-letters/dead-letter-deps.ts'

export type ApiDeps = ControlDeps & {
  readonly deadLetters: DeadLetterDeps
  /** Something has begun or was confirmed: the runs are to be evaluated soon. */
  readonly wake: () => void
  /** A replay was opened: it is to be carried out now. */
  readonly wakeReplayer: () => void
  readonly signal: AbortSignal
}
