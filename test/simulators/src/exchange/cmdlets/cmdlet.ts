import type { ErrorRecord, PsData } from '@gatehouse/powershell/protocol'
import type { Ledger } from '../ledger.ts'
import type { Organization } from '../organization/organization.ts'

/** What a cmdlet writes: CLIXML objects, warnings, error records. `failed` ends the pipeline as Failed. */
export type CmdletOutcome = {
  output: string[]
  warnings: string[]
  errors: ErrorRecord[]
  verbose?: string[]
  debug?: string[]
  information?: string[]
  failed?: ErrorRecord
}

/** Parameters that were bound, by the definition's own spelling. Absent is not the same as null. */
export type BoundParameters = ReadonlyMap<string, PsData>

export type CmdletRun = {
  cmdlet: Cmdlet
  organization: Organization
  ledger: Ledger
  /** Short name of the server that answers. */
  server: string
  /** What adding an id the list already holds does; Microsoft does not say. */
  duplicateAdd: 'ignore' | 'error'
  /** Names of all cmdlets the account may run. */
  permitted: readonly string[]
  parameters: BoundParameters
}

/** `list`: Microsoft's multi-valued property (list, @{Add;Remove} or null). `any`: taken and not looked at. */
export type ParameterKind = 'text' | 'boolean' | 'switch' | 'resultSize' | 'list' | 'any' | readonly string[]

export type Cmdlet = {
  name: string
  /** .NET class of the task, as it ends a FullyQualifiedErrorId. */
  task: string
  parameters: Readonly<Record<string, ParameterKind>>
  /** Must be given and not null. */
  mandatory?: readonly string[]
  /** Of these, one at most. */
  exclusive?: readonly string[]
  /** Asks before it acts, unless `-Confirm:$false` is given; nobody is there to answer. */
  confirms?: boolean
  run(run: CmdletRun): CmdletOutcome
  /** Instead of `run`, for one that waits for something. */
  runUntil?(run: CmdletRun, stopped: AbortSignal): Promise<CmdletOutcome>
  /** Does not listen when it is told to stop. */
  ignoresStop?: boolean
}

export function outcome(part: Partial<CmdletOutcome> = {}): CmdletOutcome {
  return { output: [], warnings: [], errors: [], ...part }
}

/** Text of a parameter; undefined when absent, null or empty: the three that make Exchange answer with everything. */
export function textOf(parameters: BoundParameters, name: string): string | undefined {
  const value = parameters.get(name)
  return typeof value === 'string' && value !== '' ? value : undefined
}

/** True when the parameter was given and holds nothing. */
export function isEmptyGiven(parameters: BoundParameters, name: string): boolean {
  return parameters.has(name) && textOf(parameters, name) === undefined
}
