import { PermanentError, RetryableError } from '@gatehouse/messages'
import type { Clock } from '../clock.ts'
import type { InvocationResult } from '../engine.ts'
import type { ClientEvent, ClientPool } from '../protocol/client-pool.ts'
import type { ErrorRecord } from '../protocol/command.ts'
import type { PsData, PsObject } from '../protocol/ps-data.ts'
import { withDetail } from '../with-detail.ts'
import { asOutput } from './as-output.ts'
import { refuseBrokenPool } from './broken-pool.ts'
import { emptyResult } from './empty-result.ts'
import type { ReceivedAnswer, RemoteShell } from './remote-shell.ts'

export type PipelineRunContext = {
  readonly shell: RemoteShell
  readonly client: ClientPool
  readonly pipelineId: string
  readonly clock: Clock
  readonly stopMs: number
  readonly resultBytesMax: number
  readonly onThrottled: (waitMs: number) => void
  /** Before everything in flight is broken: the server is to drop those that wait behind this cmdlet. Never rejects. */
  readonly clearQueue: () => Promise<void>
}

export type RunOptions = {
  readonly stop: AbortSignal
  /** From the start of the cmdlet: waiting for its turn does not count. */
  readonly timeoutMs: number
  /** Resolves when the runspace is free; undefined when it is. Rejects with why the shell was lost. */
  readonly turn: Promise<void> | undefined
  readonly properties?: ReadonlySet<string> | undefined
  readonly onOutput?: ((object: PsObject) => void) | undefined
}

const UNSENT_RETRIES_MAX = 3
const UNSENT_RETRY_MS = 100
/** Of each of verbose, debug, progress and information: a chatty cmdlet must not fill the memory. */
const RECORDS_MAX = 10_000

/** One pipeline from its Command request to its end state. */
export class PipelineRun {
  private readonly context: PipelineRunContext
  private readonly run: RunOptions
  private readonly result: InvocationResult = emptyResult()
  private readonly stopFromOutside = () =>
    this.stop(new RetryableError('cmdlet-stopped', 'The cmdlet was stopped', { detail: { mayHaveRun: true } }))
  private bytes = 0
  private ended = false
  private sent = false
  private stopReason: PermanentError | RetryableError | undefined
  private unresponsive = false
  private isWaitingForTurn = false
  private isGivingWay = false
  private readonly way = Promise.withResolvers<'way'>()
  private shellLost = false
  private outputFailed: unknown
  private cancelTimer: (() => void) | undefined
  private wakeFromPause: (() => void) | undefined

  constructor(context: PipelineRunContext, run: RunOptions) {
    this.context = context
    this.run = run
  }

  get wasSent(): boolean {
    return this.sent
  }

  /** It has been sent, and waits behind another. */
  get isWaiting(): boolean {
    return this.isWaitingForTurn && !this.ended
  }

  /** The cmdlet before it does not stop: the server is asked to drop this one before the shell is given up. */
  giveWay(): void {
    if (!this.isWaiting || this.stopReason !== undefined) return
    this.isGivingWay = true
    if (this.sent) this.signalStop()
    this.way.resolve('way')
  }

  async perform(fragments: Buffer[], name: string): Promise<InvocationResult> {
    const { clock, shell, pipelineId } = this.context
    const [first, ...rest] = fragments
    if (first === undefined) throw new PermanentError('psrp-state', 'A pipeline without fragments')
    let startedAt = clock.now()
    this.watchStop()
    this.isWaitingForTurn = this.run.turn !== undefined
    if (!this.isWaitingForTurn) this.watchTime(name)
    try {
      await shell.startCommand(pipelineId, first)
      this.sent = true
      // Asked to stop while the command was on its way: the server could not have known it then.
      if (this.stopReason !== undefined || this.isGivingWay) this.signalStop()
      for (const fragment of rest) await shell.send(pipelineId, fragment)
      if (this.isWaitingForTurn && (await Promise.race([this.run.turn, this.way.promise])) !== 'way') {
        startedAt = clock.now()
        this.takeTurn(name)
      }
      await this.receiveAll()
    } catch (error) {
      this.shellLost = this.unresponsive || isLoss(error)
      throw this.describe(error)
    }
    if (this.stopReason !== undefined) throw this.stopReason
    this.result.durationMs = clock.now() - startedAt
    return this.result
  }

  dispose(): void {
    this.cancelTimer?.()
    this.run.stop.removeEventListener('abort', this.stopFromOutside)
  }

  /** After `perform` threw: the shell is of no more use. */
  get isShellLost(): boolean {
    return this.shellLost
  }

  /** What the caller is told: the reason for stopping before its consequences, and broken answers as worth another try. */
  private describe(error: unknown): unknown {
    const reason = this.stopReason
    if (reason !== undefined) {
      const message = this.unresponsive ? `${reason.message}, and did not stop` : reason.message
      const options = { cause: error, detail: { mayHaveRun: true, shellLost: this.shellLost } }
      return reason instanceof PermanentError
        ? new PermanentError(reason.code, message, options)
        : new RetryableError(reason.code, message, options)
    }
    if (error instanceof PermanentError && /-malformed$/.test(error.code)) {
      return new RetryableError(error.code, error.message, { cause: error, detail: { mayHaveRun: true, shellLost: true } })
    }
    // Whatever became of a later request: the command itself had reached the server.
    if (this.sent && !hasNotBegun(error) && error instanceof RetryableError && error.detail['mayHaveRun'] !== true) {
      return withDetail(error, { mayHaveRun: true })
    }
    return error
  }

  private watchTime(name: string): void {
    this.cancelTimer = this.context.clock.setTimeout(
      () =>
        this.stop(
          new RetryableError('cmdlet-timeout', `${name} ran longer than ${this.run.timeoutMs} ms`, {
            detail: { mayHaveRun: true },
          }),
        ),
      this.run.timeoutMs,
    )
  }

  private watchStop(): void {
    this.run.stop.addEventListener('abort', this.stopFromOutside, { once: true })
    if (this.run.stop.aborted) this.stopFromOutside()
  }

  private takeTurn(name: string): void {
    this.isWaitingForTurn = false
    if (this.stopReason === undefined) this.watchTime(name)
    else this.watchStopping()
  }

  /** Asks the server to stop the pipeline. When it does not, everything in flight is broken, and with it the shell. */
  private stop(reason: PermanentError | RetryableError): void {
    if (this.stopReason !== undefined || this.ended) return
    this.stopReason = reason
    this.wakeFromPause?.()
    // Before its turn, breaking what is in flight would break the cmdlet of somebody else.
    if (!this.isWaitingForTurn) this.watchStopping()
    if (this.sent) this.signalStop()
  }

  private watchStopping(): void {
    this.cancelTimer?.()
    this.cancelTimer = this.context.clock.setTimeout(() => {
      this.unresponsive = true
      void this.context.clearQueue().then(() => this.context.shell.reset().catch(() => {}))
    }, this.context.stopMs)
  }

  private signalStop(): void {
    this.context.shell.signal(this.context.pipelineId, 'stop').catch(() => {
      // The timer decides: the pipeline either ends or costs its shell.
    })
  }

  private async receiveAll(): Promise<void> {
    let next = this.request()
    while (!this.ended) {
      const answer = await this.answerTo(next)
      // The server fills the next answer while this one is being parsed.
      if (answer.looksUnfinished) next = this.request()
      const received = await this.readPatiently(answer)
      for (const chunk of received.chunks) this.accept(chunk)
      if (this.ended) return
      if (received.isDone) throw cutShort('The command is done but its pipeline has no end state')
      if (!answer.looksUnfinished) next = this.request()
    }
  }

  private request(): Promise<ReceivedAnswer> {
    const answer = this.context.shell.receive(this.context.pipelineId)
    // An answer asked for ahead of time may fail when nobody waits for it any more.
    answer.catch(() => {})
    return answer
  }

  /**
   * A Receive that never left (its idle connection had just been closed) loses nothing and is sent again. One that left and
   * whose answer was lost is not: the server has handed its output out, and would go on as if it had arrived.
   */
  private async answerTo(first: Promise<ReceivedAnswer>): Promise<ReceivedAnswer> {
    let next = first
    for (let attempt = 1; ; attempt++) {
      try {
        return await next
      } catch (error) {
        const neverLeft = error instanceof RetryableError && error.detail['sent'] === false
        if (!neverLeft || attempt > UNSENT_RETRIES_MAX || this.unresponsive) throw error
        await this.pause(UNSENT_RETRY_MS * attempt)
        next = this.request()
      }
    }
  }

  /** A Receive that is refused for load loses nothing: wait as long as was said and ask again. */
  private async readPatiently(answer: ReceivedAnswer): Promise<{ chunks: readonly Uint8Array[]; isDone: boolean }> {
    try {
      return answer.read()
    } catch (error) {
      if (!(error instanceof RetryableError) || error.detail['shellLost'] !== false || error.retryAfterMs === undefined)
        throw error
      this.context.onThrottled(error.retryAfterMs)
      await this.pause(error.retryAfterMs)
      return { chunks: [], isDone: false }
    }
  }

  private pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.context.clock.setTimeout(resolve, ms)
      this.wakeFromPause = () => {
        cancel()
        resolve()
      }
      if (this.stopReason !== undefined) this.wakeFromPause()
    })
  }

  private accept(chunk: Uint8Array): void {
    this.bytes += chunk.byteLength
    if (this.bytes > this.context.resultBytesMax) {
      throw new PermanentError('result-too-large', `The result is larger than ${this.context.resultBytesMax} bytes`, {
        detail: { mayHaveRun: true, shellLost: true },
      })
    }
    for (const event of this.context.client.receive(this.context.pipelineId, chunk)) this.acceptEvent(event)
  }

  private acceptEvent(event: ClientEvent): void {
    switch (event.kind) {
      case 'output':
        this.acceptOutput(event.value)
        return
      case 'error':
        this.result.errors.push(event.record)
        return
      case 'warning':
        this.result.warnings.push(event.text)
        return
      case 'verbose':
      case 'debug':
        this.keep(this.result[event.kind], event.text)
        return
      case 'progress':
        this.keep(this.result.progress, event.record)
        return
      case 'information':
        this.keep(this.result.information, event.record)
        return
      case 'prompt':
        this.stop(
          new PermanentError('cmdlet-prompted', `The cmdlet asks for an answer (${event.method})`, {
            detail: { mayHaveRun: true },
          }),
        )
        return
      case 'pipeline-state':
        if (event.state === 'completed' || event.state === 'failed' || event.state === 'stopped')
          this.end(event.state, event.reason)
        return
      case 'pool-state':
        refuseBrokenPool(event)
        return
      case 'availability':
      case 'user-event':
      case 'public-key-request':
      case 'session-key':
      // Messages of the pool, which is asked for what it knows of them.
    }
  }

  private keep<T>(records: T[], record: T): void {
    if (records.length < RECORDS_MAX) records.push(record)
    else this.result.recordsDropped++
  }

  private acceptOutput(value: PsData): void {
    const object = asOutput(value)
    if (this.run.onOutput === undefined) {
      this.result.output.push(object)
      return
    }
    if (this.outputFailed !== undefined) return
    try {
      this.run.onOutput(object)
    } catch (error) {
      this.outputFailed = error
      this.stop(
        new PermanentError('output-refused', 'The receiver of the output failed', {
          cause: error,
          detail: { mayHaveRun: true },
        }),
      )
    }
  }

  private end(state: 'completed' | 'failed' | 'stopped', reason: ErrorRecord | undefined): void {
    if (!this.context.client.isBetweenMessages(this.context.pipelineId)) throw cutShort('The pipeline ended within a message')
    this.ended = true
    if (state === 'completed') {
      // It finished before the stop reached it: the result is whole, unless the receiver of the output refused it.
      if (this.stopReason instanceof RetryableError) this.stopReason = undefined
      return
    }
    if (state === 'failed' && saysOccupied(reason)) throw occupied(reason?.message ?? '')
    // The end of the one before may have been lost on its way: nothing proves that this one had not begun when it was stopped.
    if (state === 'stopped' && this.isGivingWay && this.isWaitingForTurn)
      throw new RetryableError('runspace-blocked', 'The cmdlet before it did not stop', {
        detail: { mayHaveRun: true, shellLost: true },
      })
    if (state === 'stopped' && this.stopReason === undefined) {
      this.stopReason = new RetryableError(
        'cmdlet-stopped',
        `The server stopped the cmdlet: ${reason?.message ?? 'no reason given'}`,
        {
          detail: { mayHaveRun: true },
        },
      )
    }
    this.result.failed = true
    if (reason !== undefined) this.result.errors.push(reason)
  }
}

/**
 * A pipeline that was stopped while it started can leave its runspace to the next one although it still runs there (seen with
 * PowerShell 7.6): the next one is refused.
 */
function saysOccupied(reason: ErrorRecord | undefined): boolean {
  return reason !== undefined && /pipeline is already running\. Pipelines cannot be run concurrently/i.test(reason.message)
}

function occupied(message: string): RetryableError {
  return new RetryableError('runspace-occupied', message, { detail: { mayHaveRun: false, shellLost: true } })
}

/** True for a command that the server had, and did not begin: it can run in another runspace. */
export function hasNotBegun(error: unknown): boolean {
  return error instanceof RetryableError && error.code === 'runspace-occupied'
}

function cutShort(message: string): RetryableError {
  return new RetryableError('psrp-cut-short', message, { detail: { mayHaveRun: true, shellLost: true } })
}

/** Anything but an error that says otherwise costs the shell: nothing is known of what the stream would hold next. */
export function isLoss(error: unknown): boolean {
  if (error instanceof PermanentError || error instanceof RetryableError) return error.detail['shellLost'] !== false
  return true
}
