import type { ControlDeps } from '../control-deps.ts'
import type { DeadLetterDeps } from '../dead-letters/dead-letter-deps.ts'
import type { QueueDepths } from '../status/queue-depths.ts'

export type ApiDeps = ControlDeps & {
  readonly deadLetters: DeadLetterDeps
  readonly readDepths: (signal: AbortSignal) => Promise<QueueDepths>
  /** Something has begun or was confirmed: the runs are to be evaluated soon. */
  readonly wake: () => void
  /** A replay was opened: it is to be carried out now. */
  readonly wakeReplayer: () => void
  readonly signal: AbortSignal
}
