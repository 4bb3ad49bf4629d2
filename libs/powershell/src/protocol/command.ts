import type { PsData } from './ps-data.ts'
import type { PsValue } from './ps-value.ts'

/** One cmdlet and its parameters by plain name (`Identity`, not `-Identity`). A switch parameter is `true`. Never script text. */
export type Command = { readonly name: string; readonly parameters: Readonly<Record<string, PsValue>> }

/** A command as a server received it. `name` is undefined for a positional argument. */
export type ReceivedCommand = {
  readonly name: string
  readonly isScript: boolean
  readonly parameters: readonly { readonly name: string | undefined; readonly value: PsData }[]
}

/** A decoded error record; `category` is the name of its ErrorCategory, such as `ObjectNotFound`. */
export type ErrorRecord = {
  readonly message: string
  readonly fullyQualifiedErrorId: string
  readonly category: string
  readonly exceptionType: string
  readonly targetText?: string
}

/** How far a cmdlet has come ([MS-PSRP] 2.2.2.25). `percentComplete` and `secondsRemaining` are -1 where it does not say. */
export type ProgressRecord = {
  readonly activity: string
  readonly activityId: number
  /** -1: an activity of its own. */
  readonly parentActivityId: number
  readonly status: string
  readonly currentOperation: string
  readonly percentComplete: number
  readonly secondsRemaining: number
  readonly isCompleted: boolean
}

/** What Write-Information and Write-Host say ([MS-PSRP] 2.2.2.26). `text` is the ToString of `data`; unknown texts are ''. */
export type InformationRecord = {
  readonly text: string
  readonly data: PsData
  readonly source: string
  readonly tags: readonly string[]
  readonly timeGenerated: Date | undefined
  readonly user: string
  readonly computer: string
}
