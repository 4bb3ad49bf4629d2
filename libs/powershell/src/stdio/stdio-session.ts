import { randomUUID } from 'node:crypto'
import { PermanentError, RetryableError } from '@gatehouse/messages'
import type { Clock } from '../clock.ts'
import { refuseBrokenPool } from '../pool/broken-pool.ts'
import { ClientPool } from '../protocol/client-pool.ts'
import type { Trace } from '../protocol/trace.ts'
import { Inbox, weightOf } from './inbox.ts'
import { LineReader } from './line-reader.ts'
import { type PacketKind, type ReceivedPacket, readPacket, SESSION_ID } from './packet.ts'
import { PacketChannel } from './packet-channel.ts'
import { type ChildEnd, PowerShellChild } from './powershell-child.ts'

export type StdioSessionOptions = {
  readonly executable: string
  readonly arguments: readonly string[]
  readonly environment: Readonly<Record<string, string>>
  /** How many pipelines may run at once: runspaces of the one pool, all opened with it. */
  readonly runspaces: number
  readonly clock: Clock
  readonly trace: Trace | undefined
}

/** As PowerShell's own fragments (BaseTransportManager.DefaultFragmentSize). */
export const FRAGMENT_BYTES = 32 * 1024
/** More than the largest fragment that is accepted, in base64. */
const LINE_BYTES_MAX = 8 * 1024 * 1024
/** Of output that nobody has fetched, over all pipelines: beyond it the process has to wait. */
const UNFETCHED_BYTES_MAX = 16 * 1024 * 1024
const EXIT_MS = 3_000
/** How long a process that has reported an error while opening may take to end by itself, and to say more. */
const REPORTED_MS = 500
/**
 * PowerShell takes the end of its input for an unknown element, even after its session was closed, and exits with
 * EXITCODE_UNHANDLED_EXCEPTION, 4000, of which Unix keeps the low byte.
 */
const EXIT_CODES_AFTER_CLOSE = [0, 160, 4000]

/** One `pwsh -s` with its one runspace pool. Used by several shells at once; ended by the last of them. */
export class StdioSession {
  readonly client: ClientPool
  private readonly options: StdioSessionOptions
  private readonly reader = new LineReader({ lineBytesMax: LINE_BYTES_MAX })
  private readonly channel = new PacketChannel((line) => this.child?.write(line))
  private readonly inboxes = new Map<string, Inbox>()
  private readonly opened = Promise.withResolvers<void>()
  private readonly poolListeners = new Set<() => void>()
  private child: PowerShellChild | undefined
  private opening: Promise<void> | undefined
  private closing: Promise<void> | undefined
  private isClosed = false
  private lost: PermanentError | RetryableError | undefined
  private unfetchedBytes = 0
  private cancelReported: (() => void) | undefined

  constructor(options: StdioSessionOptions) {
    this.options = options
    this.client = new ClientPool({
      runspacePoolId: randomUUID(),
      runspaces: { min: options.runspaces, max: options.runspaces },
      trace: options.trace,
    })
    this.opened.promise.catch(() => {})
  }

  get processId(): number | undefined {
    return this.child?.processId
  }

  get isOpen(): boolean {
    return this.client.state === 'opened' && !this.isLost && this.closing === undefined
  }

  /** Nothing that is sent will be answered. */
  get isLost(): boolean {
    return this.lost !== undefined || this.child?.hasExited === true
  }

  /** Why nothing works any more; undefined while it does. */
  get lostBecause(): PermanentError | RetryableError | undefined {
    return this.lost
  }

  /**
   * Starts the process and opens its runspace pool; the same for all who ask. Throws PermanentError('powershell-not-found'),
   * RetryableError('powershell-exited' | 'stdio-malformed' | 'runspace-broken' | …). Has no limit of its own.
   */
  open(): Promise<void> {
    this.opening ??= this.openOnce()
    return this.opening
  }

  /** Resolves when PowerShell has worked on the packet. */
  send(kind: PacketKind, pipelineId: string | undefined, data?: Uint8Array): Promise<void> {
    return this.channel.send(kind, pipelineId?.toLowerCase() ?? SESSION_ID, data)
  }

  /** From now on, what comes for the pipeline is kept for `receive`. */
  expect(pipelineId: string): void {
    this.inboxes.set(pipelineId.toLowerCase(), new Inbox())
  }

  /** What has come for a pipeline, waiting for it up to `waitMs`. */
  async receive(pipelineId: string, waitMs: number): Promise<readonly Uint8Array[]> {
    const inbox = this.inboxes.get(pipelineId.toLowerCase())
    if (inbox === undefined) throw this.lost ?? nothingExpected()
    const chunks = await inbox.take(this.options.clock, waitMs)
    for (const chunk of chunks) this.unfetchedBytes -= weightOf(chunk)
    this.limitUnfetched()
    return chunks
  }

  /** What still comes for the pipeline is dropped. */
  forget(pipelineId: string): void {
    const id = pipelineId.toLowerCase()
    this.unfetchedBytes -= this.inboxes.get(id)?.drop(nothingExpected) ?? 0
    this.inboxes.delete(id)
    this.limitUnfetched()
  }

  /** Calls `listener` after each message of the pool itself, and when the session is lost. Answers with what ends that. */
  onPoolMessage(listener: () => void): () => void {
    this.poolListeners.add(listener)
    return () => this.poolListeners.delete(listener)
  }

  /**
   * Ends the session and its process as PowerShell wants it: every pipeline must have been closed. Throws
   * RetryableError('powershell-exited') when it ends in another way.
   */
  close(): Promise<void> {
    this.closing ??= this.isOpen ? this.closeOnce() : this.kill()
    return this.closing
  }

  /** Ends the process, whatever it does. Never rejects; at most 4 s. */
  async kill(): Promise<void> {
    this.lose(new RetryableError('powershell-exited', 'PowerShell was ended', { detail: LOST }))
    await this.child?.kill()
  }

  private async openOnce(): Promise<void> {
    if (this.lost !== undefined) throw this.lost
    const { executable, arguments: given, environment, clock } = this.options
    // -NoProfile: what a profile writes or changes has no place here.
    const all = ['-s', '-NoLogo', '-NoProfile', ...given]
    const listeners = { onOutput: (chunk: Buffer) => this.read(chunk), onErrorOutput: () => this.reported() }
    const child = new PowerShellChild({ executable, arguments: all, environment, clock, ...listeners })
    this.child = child
    void child.ended.then((end) => this.childEnded(child, end))
    await Promise.all([this.channel.send('Data', SESSION_ID, this.client.open(FRAGMENT_BYTES)), this.opened.promise])
  }

  private async closeOnce(): Promise<void> {
    const { child } = this
    if (child === undefined) return
    // PowerShell closes the session only when it has closed all pipelines.
    await this.channel.quiet()
    await this.channel.send('Close', SESSION_ID)
    this.isClosed = true
    child.endInput()
    if (!(await child.endsWithin(EXIT_MS))) await child.kill()
    const { exitCode, signal } = await child.ended
    if (exitCode !== undefined && EXIT_CODES_AFTER_CLOSE.includes(exitCode)) return
    throw exited(child, { exitCode, signal }, this.options.executable)
  }

  private childEnded(child: PowerShellChild, end: ChildEnd): void {
    const error =
      end.startError === undefined ? exited(child, end, this.options.executable) : notStarted(this.options, end.startError)
    this.lose(error)
  }

  /**
   * PowerShell tells only here why it cannot open the pool, and then waits for ever. As its own client, takes everything on
   * standard error for that until the pool is open; what comes later may be from any program that a cmdlet has started.
   */
  private reported(): void {
    if (this.client.state === 'opened' || this.lost !== undefined) return
    this.cancelReported ??= this.options.clock.setTimeout(() => {
      if (this.client.state === 'opened' || this.lost !== undefined) return
      const message = `PowerShell cannot open its runspaces: ${firstLine(this.child?.errorText ?? '')}`
      this.lose(this.withErrorText(new RetryableError('runspace-broken', message)))
      void this.child?.kill()
    }, REPORTED_MS)
  }

  private read(chunk: Buffer): void {
    if (this.lost !== undefined || this.isClosed) return
    try {
      for (const line of this.reader.receive(chunk)) this.accept(readPacket(line))
    } catch (error) {
      this.lose(this.withErrorText(error))
      void this.child?.kill()
    }
  }

  private accept(packet: ReceivedPacket): void {
    if (packet.kind === 'ack') {
      this.channel.acknowledge(packet.of, packet.id)
      return
    }
    if (packet.id === SESSION_ID) {
      this.acceptForPool(packet.bytes)
      return
    }
    const inbox = this.inboxes.get(packet.id)
    if (inbox === undefined) return
    this.unfetchedBytes += weightOf(packet.bytes)
    inbox.push(packet.bytes)
    this.limitUnfetched()
  }

  private acceptForPool(bytes: Uint8Array): void {
    for (const event of this.client.receive(undefined, bytes)) if (this.closing === undefined) refuseBrokenPool(event)
    if (this.client.state === 'opened') this.becomeOpen()
    for (const listener of [...this.poolListeners]) listener()
  }

  private becomeOpen(): void {
    this.cancelReported?.()
    this.opened.resolve()
  }

  private limitUnfetched(): void {
    if (this.unfetchedBytes > UNFETCHED_BYTES_MAX) this.child?.pauseOutput()
    else this.child?.resumeOutput()
  }

  /** From now on everything fails with this error; what has come can still be fetched. */
  private lose(error: PermanentError | RetryableError): void {
    if (this.lost !== undefined) return
    this.lost = error
    this.cancelReported?.()
    this.channel.fail(error)
    this.opened.reject(error)
    for (const inbox of this.inboxes.values()) inbox.fail(error)
    for (const listener of [...this.poolListeners]) listener()
  }

  private withErrorText(error: unknown): PermanentError | RetryableError {
    const isOurs = error instanceof PermanentError || error instanceof RetryableError
    const code = isOurs ? error.code : 'stdio-malformed'
    const message = error instanceof Error ? error.message : String(error)
    const detail = { ...(isOurs ? error.detail : {}), ...LOST, standardError: this.child?.errorText ?? '' }
    return new RetryableError(code, message, { cause: error, detail })
  }
}

function nothingExpected(): PermanentError {
  return new PermanentError('stdio-state', 'Nothing is expected for this pipeline')
}

const LOST = { mayHaveRun: true, shellLost: true }
/** Of `spawn`: trying again will not help. */
const CANNOT_BE_STARTED = ['ENOENT', 'EACCES', 'EPERM', 'ENOTDIR', 'EISDIR', 'ENOEXEC', 'ELOOP', 'ENAMETOOLONG', 'E2BIG']

function notStarted({ executable }: StdioSessionOptions, cause: NodeJS.ErrnoException): PermanentError | RetryableError {
  const message = `PowerShell cannot be started: ${executable} (${cause.code ?? cause.message})`
  const detail = { mayHaveRun: false, shellLost: true, executable }
  if (cause.code !== undefined && CANNOT_BE_STARTED.includes(cause.code))
    return new PermanentError('powershell-not-found', message, { cause, detail })
  return new RetryableError('powershell-not-started', message, { cause, detail })
}

function exited(child: PowerShellChild, { exitCode, signal }: ChildEnd, executable: string): RetryableError {
  const how = signal === undefined ? `exit code ${exitCode ?? 'unknown'}` : signal
  const text = child.errorText
  const message = `PowerShell has ended (${how})${text === '' ? '' : `: ${firstLine(text)}`}`
  return new RetryableError('powershell-exited', message, {
    detail: { ...LOST, executable, ...(exitCode === undefined ? {} : { exitCode }), standardError: text },
  })
}

const MESSAGE_CHARACTERS_MAX = 200

function firstLine(text: string): string {
  return (/^[^\r\n]*/.exec(text)?.[0] ?? '').slice(0, MESSAGE_CHARACTERS_MAX)
}
