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
