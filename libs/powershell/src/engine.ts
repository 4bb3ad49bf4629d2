import type { Command, ErrorRecord, InformationRecord, ProgressRecord } from './protocol/command.ts'
import type { PsObject } from './protocol/ps-data.ts'

/** Opens runspace pools. One engine per endpoint and account; disposing it closes every pool it opened. */
export interface PowerShellEngine extends AsyncDisposable {
  /**
   * Resolves once the first runspace is open; the others open when there is work for them. `runspaces` is the most that may
   * be open at once. Throws PermanentError or RetryableError with a `wsman-…` or `psrp-…` code.
   */
  open(options: { runspaces: number; signal: AbortSignal }): Promise<RunspacePool>
}

export type InvokeOptions = {
  signal: AbortSignal
  /** How long the cmdlet may run, from the moment a runspace takes it; waiting for a runspace has its own limit. */
  timeoutMs: number
  /** Default `bulk`. Urgent commands go first, without starving bulk. */
  priority?: 'urgent' | 'bulk'
  /** The only properties that anybody will read of the objects: the others of a large result need not be decoded. */
  properties?: ReadonlySet<string>
  /** Hands over each object as it arrives instead of collecting it in `output`. What it throws fails the invocation. */
  onOutput?: (object: PsObject) => void
}

export interface RunspacePool extends AsyncDisposable {
  /**
   * Runs one cmdlet in any free runspace. A cmdlet's own errors are in `errors`; `failed` says that one of them ended it.
   * Throws PermanentError (`empty-identity`, `command-name-refused`, …) before anything is sent, and RetryableError whose
   * `detail.mayHaveRun` says whether the server may have run the cmdlet.
   */
  invoke(command: Command, options: InvokeOptions): Promise<InvocationResult>
  /** Opens all shells it may, in the background: much work is about to come. Without it they are opened as work waits. */
  prepare(): void
  stats(): RunspacePoolStats
  readonly state: 'opening' | 'opened' | 'broken' | 'closed'
}

export type InvocationResult = {
  output: PsObject[]
  errors: ErrorRecord[]
  warnings: string[]
  verbose: string[]
  debug: string[]
  progress: ProgressRecord[]
  information: InformationRecord[]
  /** Of verbose, debug, progress and information, what came beyond 10,000 of a kind: counted, not kept. */
  recordsDropped: number
  /** A terminating error ended the cmdlet; it is the last of `errors`. */
  failed: boolean
  /** From the Command request to the end state, without waiting in the queue. */
  durationMs: number
}

export type RunspacePoolStats = {
  shells: number
  busy: number
  queued: number
  mostShells: number
  shellsAllowed: number
  shellsOpened: number
  shellsLost: number
  /** Shells beyond the first that could not be opened. */
  openingsFailed: number
  /** Of those: the account's budget or a quota of Exchange's was used up. */
  openingsRefused: number
  invoked: number
  pausedMs: number
}
