import { PermanentError, RetryableError } from '@gatehouse/messages'
import type { Clock } from '../clock.ts'
import type { InvocationResult } from '../engine.ts'
import { asOutput } from '../pool/as-output.ts'
import { emptyResult } from '../pool/empty-result.ts'
import { decodeClixml } from '../protocol/clixml-decode.ts'
import type { ErrorRecord } from '../protocol/command.ts'
import { readErrorRecord } from '../protocol/error-record.ts'
import { readInformationRecord } from '../protocol/information-record.ts'
import { readProgressRecord } from '../protocol/progress-record.ts'
import type { PsData, PsObject } from '../protocol/ps-data.ts'
import { textOf } from '../protocol/text-of.ts'
import { classifyEnd } from './classify-end.ts'
import type { HostLine, RecordKind } from './host-line.ts'

export type HostRunOptions = {
  readonly id: number
  readonly name: string
  readonly stop: AbortSignal
  readonly timeoutMs: number
  readonly properties: ReadonlySet<string> | undefined
  readonly onOutput: ((object: PsObject) => void) | undefined
  readonly clock: Clock
  readonly stopMs: number
  readonly resultCharsMax: number
  /** Asks PowerShell to stop the command. */
  readonly requestStop: () => void
  /** The command did not stop in time: its runspace is lost to it. */
  readonly onStuck: () => void
}

type RecordLine = Extract<HostLine, { op: RecordKind }>
type EndLine = Extract<HostLine, { op: 'end' }>

/** One command from its request to its end. `result` settles once; only the timers and listeners of the command are its own. */
export class HostRun {
  readonly result: Promise<InvocationResult>
  private readonly options: HostRunOptions
  private readonly settle: { resolve: (result: InvocationResult) => void; reject: (error: unknown) => void }
  private readonly collected = emptyResult()
  private readonly startedAt: number
  private readonly stopFromOutside = () =>
    this.stop(new RetryableError('cmdlet-stopped', 'The cmdlet was stopped', { detail: { mayHaveRun: true } }))
  private reason: ErrorRecord | undefined
  private stopReason: PermanentError | RetryableError | undefined
  private chars = 0
  private cancelTimer: () => void
  private isSettled = false

  constructor(options: HostRunOptions) {
    const { promise, resolve, reject } = Promise.withResolvers<InvocationResult>()
    this.options = options
    this.result = promise
    this.settle = { resolve, reject }
    this.startedAt = options.clock.now()
    this.cancelTimer = options.clock.setTimeout(() => this.timeOut(), options.timeoutMs)
    options.stop.addEventListener('abort', this.stopFromOutside, { once: true })
    if (options.stop.aborted) this.stopFromOutside()
  }

  /** Never throws: an answer that cannot be read fails the command. */
  accept(line: RecordLine | EndLine): void {
    if (this.isSettled) return
    try {
      if (line.op === 'end') this.end(line)
      else this.acceptRecord(line)
    } catch (error) {
      this.stop(describeUnreadable(error))
    }
  }

  /** The process is gone, or not to be used any more. */
  fail(error: RetryableError): void {
    const reason = this.stopReason
    if (reason === undefined) this.reject(error)
    else
      this.reject(
        withMessage(reason, `${reason.message}, and ${lowerFirst(error.message)}`, { cause: error, detail: error.detail }),
      )
  }

  private acceptRecord(line: RecordLine): void {
    this.chars += line.data.length
    if (this.chars > this.options.resultCharsMax) this.stop(tooLarge(this.options.name))
    // Nobody will be given the rest of it.
    if (this.stopReason instanceof PermanentError && line.op !== 'reason') return
    const wanted = line.op === 'output' ? this.options.properties : undefined
    const data = decodeClixml(Buffer.from(line.data, 'base64').toString('utf8'), wanted)
    switch (line.op) {
      case 'output':
        this.acceptOutput(data)
        return
      case 'error':
        this.collected.errors.push(readErrorRecord(data))
        return
      case 'reason':
        this.reason = readErrorRecord(data)
        return
      case 'warning':
        this.collected.warnings.push(textOf(data))
        return
      case 'verbose':
      case 'debug':
        this.collected[line.op].push(textOf(data))
        return
      case 'progress':
        this.collected.progress.push(readProgressRecord(data))
        return
      case 'information':
        this.collected.information.push(readInformationRecord(data))
        return
      default:
        line.op satisfies never
    }
  }

  private acceptOutput(value: PsData): void {
    const object = asOutput(value)
    if (this.options.onOutput === undefined) {
      this.collected.output.push(object)
      return
    }
    try {
      this.options.onOutput(object)
    } catch (cause) {
      const options = { cause, detail: { mayHaveRun: true } }
      this.stop(new PermanentError('output-refused', 'The receiver of the output failed', options))
    }
  }

  private end(line: EndLine): void {
    const { name, clock } = this.options
    if (line.tooLarge) this.stopReason ??= tooLarge(name)
    // It finished before the stop reached it: the result is whole.
    if (line.state === 'completed' && this.stopReason instanceof RetryableError && this.stopReason.code.startsWith('cmdlet-'))
      this.stopReason = undefined
    const error = this.stopReason ?? classifyEnd(line, this.reason, name)
    if (error !== undefined) {
      this.reject(error)
      return
    }
    this.collected.recordsDropped = line.dropped
    this.collected.failed = line.state !== 'completed'
    if (this.reason !== undefined && this.collected.failed) this.collected.errors.push(this.reason)
    this.collected.durationMs = clock.now() - this.startedAt
    this.finish()
    this.settle.resolve(this.collected)
  }

  private timeOut(): void {
    const { name, timeoutMs } = this.options
    const options = { detail: { mayHaveRun: true } }
    this.stop(new RetryableError('cmdlet-timeout', `${name} ran longer than ${timeoutMs} ms`, options))
  }

  private stop(reason: PermanentError | RetryableError): void {
    if (this.isSettled || this.stopReason !== undefined) return
    this.stopReason = reason
    this.cancelTimer()
    this.cancelTimer = this.options.clock.setTimeout(() => this.giveUp(reason), this.options.stopMs)
    this.options.requestStop()
  }

  private giveUp(reason: PermanentError | RetryableError): void {
    this.reject(withMessage(reason, `${reason.message}, and did not stop`, { detail: { mayHaveRun: true, shellLost: true } }))
    this.options.onStuck()
  }

  private reject(error: unknown): void {
    if (this.isSettled) return
    this.finish()
    this.settle.reject(error)
  }

  private finish(): void {
    this.isSettled = true
    this.cancelTimer()
    this.options.stop.removeEventListener('abort', this.stopFromOutside)
  }
}

function tooLarge(name: string): PermanentError {
  return new PermanentError('result-too-large', `The result of ${name} is larger than allowed`, {
    detail: { mayHaveRun: true },
  })
}

/** What cannot be read may be readable next time; what reached a limit will reach it again. */
function describeUnreadable(error: unknown): PermanentError | RetryableError {
  const options = { cause: error, detail: { mayHaveRun: true } }
  if (!(error instanceof PermanentError)) return new RetryableError('powershell-malformed', 'An answer cannot be read', options)
  const Class = error.code.endsWith('-malformed') ? RetryableError : PermanentError
  return new Class(error.code, error.message, options)
}

function withMessage(
  reason: PermanentError | RetryableError,
  message: string,
  options: { cause?: unknown; detail: Record<string, string | number | boolean> },
): PermanentError | RetryableError {
  const Class = reason instanceof PermanentError ? PermanentError : RetryableError
  return new Class(reason.code, message, { ...options, cause: options.cause ?? reason.cause })
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1)
}
