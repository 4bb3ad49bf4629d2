import { abortReason, PermanentError, RetryableError } from '@gatehouse/messages'
import type { Clock } from '../clock.ts'
import type { InvocationResult } from '../engine.ts'
import type { EngineLog } from '../engine-log.ts'
import type { PoolJob } from '../pool/pool-job.ts'
import { decodeClixml } from '../protocol/clixml-decode.ts'
import { readErrorRecord } from '../protocol/error-record.ts'
import type { Trace } from '../protocol/trace.ts'
import { classifyOpenFailure } from './classify-end.ts'
import { encodeRun } from './encode-run.ts'
import { type HostLine, parseHostLine } from './host-line.ts'
import { HostRun } from './host-run.ts'
import { OwnedShell, type ShellExit } from './owned-shell.ts'
import { traceLine } from './trace-line.ts'

export type HostProcessOptions = {
  readonly executable: string
  readonly environment: Readonly<Record<string, string>>
  /** The constant host script. */
  readonly script: string
  readonly runspaces: number
  /** The fields of the open request that say what pool to open. */
  readonly openRequest: Readonly<Record<string, unknown>>
  readonly openMs: number
  readonly stopMs: number
  readonly closeMs: number
  readonly pingMs: number
  readonly lineCharsMax: number
  readonly resultCharsMax: number
  readonly clock: Clock
  readonly log: EngineLog
  readonly trace?: Trace | undefined
}

/** How many records of one stream, such as warnings, one command may answer. */
const RECORDS_MAX = 10_000

/**
 * One PowerShell process with one open runspace pool. `opening` → `opened` → `draining` (no new commands; closed when the
 * running ones have ended) → `gone`. Whatever ends it, every command in flight is answered.
 */
export class HostProcess {
  readonly openedAt: number
  idleSince: number
  private readonly options: HostProcessOptions
  private readonly shell: OwnedShell
  private readonly runs = new Map<number, HostRun>()
  private readonly opened = Promise.withResolvers<void>()
  private readonly exited = Promise.withResolvers<void>()
  private readonly onFree: () => void
  private currentState: 'opening' | 'opened' | 'draining' | 'gone' = 'opening'
  private goneBecause: PermanentError | RetryableError | undefined
  private stuck = 0
  private hasAnswered = true
  private cancelPing: (() => void) | undefined
  private closing: Promise<void> | undefined

  /** `onFree` is called whenever there is one command less, and when the process is gone. */
  constructor(options: HostProcessOptions, onFree: () => void) {
    this.options = options
    this.onFree = onFree
    this.openedAt = options.clock.now()
    this.idleSince = this.openedAt
    this.opened.promise.catch(() => {})
    this.shell = new OwnedShell({
      ...options,
      onLine: (line) => this.receive(line),
      onExit: (exit) => this.gone(this.goneBecause ?? describeExit(exit, options.executable)),
    })
    // One line: PowerShell runs a line it can parse, and waits for an empty one after a block that spans several.
    const script = Buffer.from(options.script, 'utf8').toString('base64')
    this.shell.write(`& ([ScriptBlock]::Create([Text.Encoding]::UTF8.GetString([Convert]::FromBase64String('${script}'))))`)
  }

  get state(): 'opening' | 'opened' | 'draining' | 'gone' {
    return this.currentState
  }

  /** Commands that hold a runspace and may still end. */
  get running(): number {
    return this.runs.size
  }

  /** Runspaces lost with commands that did not stop, or with a process that ended by itself. */
  get lost(): number {
    return this.currentState === 'gone' && this.closing === undefined ? this.options.runspaces : this.stuck
  }

  /** Resolves when the process is gone; never rejects. */
  get ended(): Promise<void> {
    return this.exited.promise
  }

  /** Resolves when the pool is open. Throws what opening failed with, or the signal's reason; the process is then gone. */
  async open(signal: AbortSignal): Promise<void> {
    const { clock, openMs } = this.options
    const abort = () => this.opened.reject(abortReason(signal))
    signal.addEventListener('abort', abort, { once: true })
    if (signal.aborted) abort()
    const cancel = clock.setTimeout(() => this.opened.reject(openTimeout(openMs)), openMs)
    try {
      await this.opened.promise
      this.currentState = 'opened'
      this.pingLater()
    } catch (error) {
      this.kill(error instanceof PermanentError || error instanceof RetryableError ? error : openTimeout(openMs))
      await this.exited.promise
      throw error
    } finally {
      cancel()
      signal.removeEventListener('abort', abort)
    }
  }

  /** Runs one command. Only in state `opened`. Throws PermanentError('value-refused') before anything is sent. */
  async run(job: PoolJob): Promise<InvocationResult> {
    const { id, command } = job
    const line = encodeRun(id, command)
    const { timeoutMs, properties, onOutput } = job.options
    const { clock, stopMs, resultCharsMax } = this.options
    this.write(line)
    const run = new HostRun({
      ...{ id, name: command.name, stop: job.stop.signal, timeoutMs, properties, onOutput, clock, stopMs, resultCharsMax },
      requestStop: () => this.send({ op: 'stop', id }),
      onStuck: () => this.loseRunspace(id, command.name),
    })
    this.runs.set(id, run)
    try {
      return await run.result
    } catch (error) {
      // Before the next command is given to it.
      if (isLoss(error)) this.drain()
      throw error
    } finally {
      this.runs.delete(id)
      this.idleSince = clock.now()
      if (this.currentState === 'draining' && this.runs.size === 0) void this.close()
      this.onFree()
    }
  }

  /** Takes no more commands; closes when those that run have ended. */
  drain(): void {
    if (this.currentState !== 'opened') return
    this.currentState = 'draining'
    if (this.runs.size === 0) void this.close()
  }

  /**
   * Closes the pool, and with it the sessions it has on a server, then ends the process; kills it when that takes longer than
   * the limit. Commands that still run are stopped. Never rejects.
   */
  close(): Promise<void> {
    this.closing ??= this.closeInSteps()
    return this.closing
  }

  private async closeInSteps(): Promise<void> {
    if (this.currentState === 'opening') this.kill(exitedError('PowerShell was closed before it was open'))
    if (this.currentState !== 'gone') {
      this.currentState = 'draining'
      this.send({ op: 'close' })
    }
    const { clock, closeMs } = this.options
    // The script gives up waiting for its pool after closeMs itself.
    const cancel = clock.setTimeout(() => this.kill(exitedError('PowerShell did not close in time')), closeMs * 2)
    await this.exited.promise
    cancel()
  }

  /** Ends the process and answers everything in flight with `because`. */
  private kill(because: PermanentError | RetryableError): void {
    if (this.currentState === 'gone') return
    this.goneBecause ??= because
    this.shell.kill()
  }

  private receive(text: string): void {
    traceLine(this.options.trace, 'received', text)
    try {
      const line = parseHostLine(text)
      if (line !== undefined) this.accept(line)
    } catch (error) {
      this.kill(error as RetryableError)
    }
  }

  private accept(line: HostLine): void {
    switch (line.op) {
      case 'hello':
        if (line.group) this.shell.leadsGroup(line.pid)
        this.sendOpen()
        return
      case 'opened':
        this.opened.resolve()
        return
      case 'open-failed':
        this.opened.reject(classifyOpenFailure(line.code, readRecord(line.data)))
        return
      case 'pong':
        this.hasAnswered = true
        return
      default:
        // A command that was given up may still answer.
        this.runs.get(line.id)?.accept(line)
    }
  }

  private sendOpen(): void {
    const { runspaces, stopMs, closeMs, lineCharsMax, openRequest } = this.options
    this.send({
      op: 'open',
      runspaces,
      stopMs,
      closeMs,
      recordsMax: RECORDS_MAX,
      lineCharsMax: lineCharsMax - 200,
      ...openRequest,
    })
  }

  private send(message: Record<string, unknown>): void {
    this.write(JSON.stringify(message))
  }

  private write(line: string): void {
    traceLine(this.options.trace, 'sent', line)
    this.shell.write(line)
  }

  private pingLater(): void {
    this.cancelPing = this.options.clock.setTimeout(() => {
      if (!this.hasAnswered) {
        this.kill(exitedError('PowerShell does not answer any more'))
        return
      }
      this.hasAnswered = false
      this.send({ op: 'ping' })
      this.pingLater()
    }, this.options.pingMs)
  }

  private loseRunspace(id: number, name: string): void {
    this.stuck++
    this.options.log.warn({ commandId: id, cmdlet: name }, 'A cmdlet did not stop: its PowerShell is replaced')
    this.drain()
  }

  private gone(because: PermanentError | RetryableError): void {
    this.currentState = 'gone'
    this.cancelPing?.()
    this.opened.reject(because)
    for (const run of [...this.runs.values()]) run.fail(asLost(because))
    this.exited.resolve()
    this.onFree()
  }
}

function readRecord(data: string) {
  return readErrorRecord(decodeClixml(Buffer.from(data, 'base64').toString('utf8')))
}

/** The pool within the process is of no more use. */
function isLoss(error: unknown): boolean {
  return (error instanceof RetryableError || error instanceof PermanentError) && error.detail['shellLost'] === true
}

function describeExit(exit: ShellExit, executable: string): PermanentError | RetryableError {
  if (exit.isLineTooLong) {
    const options = { detail: { mayHaveRun: true, shellLost: true } }
    return new RetryableError('powershell-malformed', 'PowerShell wrote a line that is too long', options)
  }
  if (exit.startError !== undefined) {
    const options = { cause: exit.startError, detail: { mayHaveRun: false, shellLost: true } }
    const message = `${executable} cannot be started: ${exit.startError.message}`
    return isThere(exit.startError)
      ? new RetryableError('powershell-exited', message, options)
      : new PermanentError('powershell-not-found', message, options)
  }
  const how = exit.signal ?? `code ${exit.code ?? 'unknown'}`
  return exitedError(`PowerShell ended (${how})${exit.errorText === '' ? '' : `: ${exit.errorText}`}`)
}

/** It exists but could not be started now, for want of memory or processes. */
function isThere(error: NodeJS.ErrnoException): boolean {
  return ['EAGAIN', 'EMFILE', 'ENFILE', 'ENOMEM'].includes(error.code ?? '')
}

function exitedError(message: string): RetryableError {
  return new RetryableError('powershell-exited', message, { detail: { mayHaveRun: true, shellLost: true } })
}

function openTimeout(openMs: number): RetryableError {
  const options = { detail: { mayHaveRun: false, shellLost: true } }
  return new RetryableError('runspace-open-timeout', `PowerShell did not open its runspaces within ${openMs} ms`, options)
}

function asLost(because: PermanentError | RetryableError): RetryableError {
  return new RetryableError(because.code, because.message, { cause: because, detail: { mayHaveRun: true, shellLost: true } })
}
