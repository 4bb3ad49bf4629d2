import type { Socket } from 'node:net'
import { type ReceivedCommand, ServerPool } from '@gatehouse/powershell/protocol'

/** One WSMan command: one PowerShell pipeline. `waiting`: its fragments or its turn have not come yet. */
export type ShellCommand = {
  /** As the client wrote it; looked up by upper case. */
  id: string
  pipelineId: string | undefined
  commands: readonly ReceivedCommand[]
  state: 'waiting' | 'queued' | 'running' | 'ended'
  timer: NodeJS.Timeout | undefined
  ignoresStop: boolean
  /** Of a cmdlet that waits for something. */
  stopper?: AbortController | undefined
}

/** A Receive that hangs until there is something to say. */
export type PendingReceive = {
  command: ShellCommand | undefined
  maxEnvelopeSize: number
  messageId: string
  timer: NodeJS.Timeout
  isClosed: () => boolean
  answer: (status: number, body: string) => void
}

/** One open WSMan shell: one PowerShell session, one runspace. */
export class Shell {
  readonly id: string
  readonly account: string
  readonly cookie: string
  readonly idleTimeoutMs: number
  readonly pool: ServerPool
  /** By upper-case command id. */
  readonly commands = new Map<string, ShellCommand>()
  readonly queue: ShellCommand[] = []
  /** By command, undefined for the session's own stream. */
  readonly receives = new Map<ShellCommand | undefined, PendingReceive>()
  /** Connections that ever carried a request of this shell. */
  readonly sockets = new Set<Socket>()
  running: ShellCommand | undefined
  isClosed = false
  /** While a cmdlet writes its output, so that a waiting Receive gets all of it and not the first object alone. */
  isWriting = false
  lastActivity = Date.now()

  constructor(o: {
    id: string
    account: string
    cookie: string
    idleTimeoutMs: number
    onBytes: (shell: Shell, pipelineId: string | undefined) => void
  }) {
    this.id = o.id
    this.account = o.account
    this.cookie = o.cookie
    this.idleTimeoutMs = o.idleTimeoutMs
    this.pool = new ServerPool({ onBytes: (pipelineId) => o.onBytes(this, pipelineId), powerShellVersion: '5.1.20348.2849' })
  }

  touch(socket: Socket): void {
    this.lastActivity = Date.now()
    this.sockets.add(socket)
  }

  /** A running cmdlet and a connected long poll are activity. */
  isIdleSince(now: number): boolean {
    if (this.running !== undefined || this.receives.size > 0) {
      this.lastActivity = now
      return false
    }
    return now - this.lastActivity >= this.idleTimeoutMs
  }

  /** Nobody is connected who ever spoke of it: whoever opened it has died or forgotten it. */
  isOrphan(): boolean {
    for (const socket of this.sockets) if (socket.destroyed) this.sockets.delete(socket)
    return this.sockets.size === 0
  }
}
