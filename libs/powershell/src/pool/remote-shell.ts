import type { ShellAddress } from '../leases.ts'
import type { ClientPool } from '../protocol/client-pool.ts'

/** One answer to a Receive, not yet parsed: the next Receive can be on its way before this one is read. */
export type ReceivedAnswer = {
  /** A large answer without the mark of a finished command: more will follow. */
  readonly looksUnfinished: boolean
  /** Parses it. Throws PermanentError('wsman-malformed' | 'xml-…') or what a fault means. */
  read(): { readonly chunks: readonly Uint8Array[]; readonly isDone: boolean }
}

/**
 * One shell on a server, whatever carries it. Methods throw PermanentError or RetryableError whose `detail` holds
 * `shellLost` (the shell is of no more use) and `mayHaveRun`. `reset` and `destroy` make everything in flight fail at once.
 */
export interface RemoteShell {
  readonly address: ShellAddress
  /** The protocol's state of the runspace pool that this shell belongs to. Several shells may share one. */
  readonly client: ClientPool
  /** How large a fragment may be that is sent in one request. */
  readonly fragmentBytesMax: number
  /** The shell is to be closed: `retiring`, what runs in it may still end; `lost`, nothing in it will. */
  readonly ending?: 'retiring' | 'lost' | undefined
  create(): Promise<void>
  /** The server speaks protocol 2.2 or newer: it takes larger requests. */
  growEnvelope(): void
  startCommand(pipelineId: string, first: Buffer): Promise<void>
  /** With undefined: a message of the pool itself. */
  send(pipelineId: string | undefined, fragment: Buffer): Promise<void>
  /** Waits for output of a pipeline, or with undefined of the shell, at most one operation timeout. */
  receive(pipelineId: string | undefined): Promise<ReceivedAnswer>
  signal(pipelineId: string, kind: 'terminate' | 'stop'): Promise<void>
  /** Resolves when the server has deleted the shell or does not know it. */
  delete(): Promise<void>
  reset(): Promise<void>
  destroy(): Promise<void>
}

/** Makes the shells of a pool, over one way of reaching a server. */
export interface RemotingTransport {
  /** A shell that is not created on the server yet. */
  createShell(): RemoteShell
  /** How long a shell may be idle before it is closed: below the server's own idle timeout. */
  readonly idleMs: number
  /** A shell that runs a command queues the next one for its own runspace. Default true. */
  readonly canSendAhead?: boolean
}
