import { abortReason, RetryableError } from '@gatehouse/messages'
import type { Clock } from '../clock.ts'
import type { InvocationResult, InvokeOptions } from '../engine.ts'
import type { Command } from '../protocol/command.ts'

/** One `invoke` of a pool, from the queue to its result. */
export class PoolJob {
  readonly id: number
  readonly command: Command
  readonly options: InvokeOptions
  readonly promise: Promise<InvocationResult>
  /** Aborted to stop the cmdlet once it runs. */
  readonly stop = new AbortController()
  isRunning = false
  /** Its time in the queue was over while it ran: it does not go back there. */
  isOverdue = false
  private readonly settle: { resolve: (result: InvocationResult) => void; reject: (error: unknown) => void }
  private readonly leaveQueue: (job: PoolJob) => void
  private readonly onAbort = () => this.aborted()
  private cancelQueueTimer: (() => void) | undefined

  constructor(o: { id: number; command: Command; options: InvokeOptions; leaveQueue: (job: PoolJob) => void }) {
    const { promise, resolve, reject } = Promise.withResolvers<InvocationResult>()
    this.id = o.id
    this.command = o.command
    this.options = o.options
    this.leaveQueue = o.leaveQueue
    this.promise = promise
    this.settle = { resolve, reject }
    o.options.signal.addEventListener('abort', this.onAbort, { once: true })
  }

  get priority(): 'urgent' | 'bulk' {
    return this.options.priority ?? 'bulk'
  }

  /** Limits the whole time in the queue, however often the job comes back to it. */
  limitQueueTime(clock: Clock, queueMs: number): void {
    this.cancelQueueTimer = clock.setTimeout(() => {
      this.isOverdue = true
      if (this.isRunning) return
      this.leaveQueue(this)
      this.reject(
        new RetryableError('runspace-queue-timeout', `No runspace became free within ${queueMs} ms`, {
          detail: { mayHaveRun: false },
        }),
      )
    }, queueMs)
  }

  resolve(result: InvocationResult): void {
    this.dispose()
    this.settle.resolve(result)
  }

  reject(error: unknown): void {
    this.dispose()
    this.settle.reject(this.options.signal.aborted ? abortReason(this.options.signal) : error)
  }

  private aborted(): void {
    if (this.isRunning) {
      // The caller hears of it when the cmdlet has stopped: until then it may still change something.
      this.stop.abort()
      return
    }
    this.leaveQueue(this)
    this.reject(abortReason(this.options.signal))
  }

  private dispose(): void {
    this.cancelQueueTimer?.()
    this.options.signal.removeEventListener('abort', this.onAbort)
  }
}
