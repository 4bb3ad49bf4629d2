/** A shell on the server, enough to delete it from another process. `cookie` is the MS-WSMAN value. */
export type ShellAddress = { readonly shellId: string; readonly url: string; readonly cookie: string | undefined }

/** The right to have one shell open, out of the budget of one account shared by all copies of all workers. */
export interface Lease {
  readonly id: string
  /** So long it counts from the moment at which it was taken or renewed. */
  readonly validMs: number
  renew(): Promise<void>
  attach(shell: ShellAddress): Promise<void>
  /** The shell was deleted on the server. */
  release(): Promise<void>
  /** Given up: the shell may still count on the server until its idle timeout. */
  abandon(): Promise<void>
}

export interface LeaseBroker {
  /** undefined: the account's budget is used up. */
  acquire(signal: AbortSignal): Promise<Lease | undefined>
}
