import type { DeadLetter, ReadDeadLettersOptions } from '@gatehouse/broker'
import type { ControlDeps } from '../control-deps.ts'

export type ApiDeps = ControlDeps & {
  readonly readDeadLetters: (
    options: ReadDeadLettersOptions,
    signal: AbortSignal,
  ) => Promise<{ total: number; messages: readonly DeadLetter[] }>
  /** Something has begun or was confirmed: the runs are to be evaluated soon. */
  readonly wake: () => void
  readonly signal: AbortSignal
}

/** There is one token, so one actor; who holds it is the administrator's affair. */
export const API_ACTOR = 'api'
