import { abortReason, PermanentError, RetryableError } from '@gatehouse/messages'
import type { InvocationResult, InvokeOptions, RunspacePool, RunspacePoolStats } from '../engine.ts'
import { checkCommand } from '../protocol/check-command.ts'
import type { Command } from '../protocol/command.ts'
import { Activities } from './activities.ts'
import { AheadTrial } from './ahead-trial.ts'
import { asNotRun } from './as-not-run.ts'
import { hasNotBegun } from './pipeline-run.ts'
import { poolClosed } from './pool-closed.ts'
import { createPoolCounts } from './pool-counts.ts'
import { PoolJob } from './pool-job.ts'
import { PoolScheduler } from './pool-scheduler.ts'
import { PooledShell, type PooledShellOptions } from './pooled-shell.ts'

export type PoolOptions = Omit<PooledShellOptions, 'onThrottled'> & {
  readonly runspaces: number
  /** Idle shells are closed after this time: below the server's idle timeout, or the server would do it. */
  readonly idleMs: number
  readonly ageMs: number
  readonly queueMs: number
  readonly growBackMs: number
  readonly canSendAhead: boolean
}

const MICRO_DELAY = /Micro delay applied\. Actual delayed: (\d{1,7})/i
const SWEEP_MS_MAX = 5_000

/** A pool of shells with one runspace each. What it does next is decided by PoolScheduler; this class does it. */
export class RemotingRunspacePool implements RunspacePool {
  private readonly options: PoolOptions
  private readonly shellOptions: PooledShellOptions
  private readonly scheduler: PoolScheduler
  private readonly trial = new AheadTrial()
  private readonly shells = new Map<number, PooledShell>()
  private readonly jobs = new Map<number, PoolJob>()
  private readonly activities: Activities
  private readonly closing = new AbortController()
  private readonly counts = createPoolCounts()
  private currentState: RunspacePool['state'] = 'opening'
  private brokenBecause: PermanentError | undefined
  private lastId = 0
  private cancelWake: (() => void) | undefined
  private wakeAt = Number.POSITIVE_INFINITY
  private cancelSweep: (() => void) | undefined

  constructor(options: PoolOptions) {
    this.options = options
    this.activities = new Activities((error) => options.log.error({ err: error }, 'Runspace pool failed'))
    this.shellOptions = { ...options, onThrottled: (waitMs) => this.pause(waitMs) }
    this.scheduler = new PoolScheduler({ shellsMax: options.runspaces, growBackMs: options.growBackMs })
  }

  get state(): RunspacePool['state'] {
    return this.currentState
  }

  /** Opens the first runspace, so that a wrong password or a dead server shows at once. */
  async open(signal: AbortSignal): Promise<void> {
    const first = await PooledShell.open(++this.lastId, this.shellOptions, AbortSignal.any([signal, this.closing.signal]))
    if (this.currentState === 'closed') {
      await first.close()
      throw poolClosed()
    }
    this.currentState = 'opened'
    this.scheduler.openedFirst(first.id)
    this.keep(first)
    this.sweepLater()
  }

  async invoke(command: Command, options: InvokeOptions): Promise<InvocationResult> {
    checkCommand(command)
    if (options.signal.aborted) throw abortReason(options.signal)
    if (this.brokenBecause !== undefined) throw this.brokenBecause
    if (this.currentState !== 'opened') throw poolClosed()
    const job = new PoolJob({ id: ++this.lastId, command, options, leaveQueue: this.leaveQueue })
    job.limitQueueTime(this.options.clock, this.options.queueMs)
    this.jobs.set(job.id, job)
    this.scheduler.add(job.id, job.priority)
    this.pump()
    return await job.promise
  }

  stats(): RunspacePoolStats {
    const { busy, allowed } = this.scheduler.shells
    return { ...this.counts, shells: this.shells.size, busy, queued: this.scheduler.queued, shellsAllowed: allowed }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.currentState === 'closed') return
    this.currentState = 'closed'
    this.cancelWake?.()
    this.cancelSweep?.()
    this.closing.abort(poolClosed())
    for (const job of [...this.jobs.values()]) {
      if (job.isRunning) job.stop.abort()
      else this.fail(job, poolClosed())
    }
    for (const shell of [...this.shells.values()]) if (this.scheduler.takeIdle(shell.id)) this.discard(shell, 'close')
    await this.activities.ended()
  }

  private readonly leaveQueue = (job: PoolJob): void => {
    this.scheduler.cancel(job.id)
    this.jobs.delete(job.id)
  }

  prepare(): void {
    this.scheduler.prepare(this.options.runspaces)
    this.pump()
  }

  /** Does everything that can be done now, then sleeps until the scheduler's next moment. */
  private pump(): void {
    if (this.currentState !== 'opened') return
    for (;;) {
      const step = this.scheduler.next(this.options.clock.now(), this.options.canSendAhead ? this.trial.aheadMax : 0)
      if (step === undefined) return
      if (step.kind === 'wait') {
        this.wake(step.until)
        return
      }
      if (step.kind === 'open') this.activities.track(this.openShell())
      else this.start(step)
    }
  }

  private wake(at: number): void {
    if (at >= this.wakeAt) return
    this.cancelWake?.()
    this.wakeAt = at
    this.cancelWake = this.options.clock.setTimeout(
      () => {
        this.wakeAt = Number.POSITIVE_INFINITY
        this.pump()
      },
      // Rounded up: a timer must not fire before the moment and find that it is still too early.
      Math.max(1, Math.ceil(at - this.options.clock.now())),
    )
  }

  private start({ jobId, shellId, isAhead }: { jobId: number; shellId: number; isAhead: boolean }): void {
    const job = this.jobs.get(jobId)
    const shell = this.shells.get(shellId)
    if (job === undefined || shell === undefined) throw new Error('The scheduler named a job or shell that is not there')
    if (shell.mustClose && !isAhead) {
      // It was found out while the shell was idle: another one takes the command.
      this.scheduler.putBack(job.id, job.priority)
      if (this.scheduler.retired(shell.id)) this.close(shell)
      return
    }
    job.isRunning = true
    this.activities.track(this.run(job, shell, isAhead))
  }

  private async run(job: PoolJob, shell: PooledShell, isAhead: boolean): Promise<void> {
    const { timeoutMs, properties, onOutput } = job.options
    let outcome: { result: InvocationResult } | { error: unknown }
    try {
      outcome = { result: await shell.runspace.run(job.command, { stop: job.stop.signal, timeoutMs, properties, onOutput }) }
    } catch (error) {
      outcome = { error }
    }
    job.isRunning = false
    if ('result' in outcome) this.measure(outcome.result, isAhead)
    else if (this.startsLater(job, outcome.error, isAhead)) {
      this.release(shell)
      return
    }
    this.release(shell)
    this.jobs.delete(job.id)
    if ('error' in outcome) job.reject(outcome.error)
    else {
      this.counts.invoked++
      job.resolve(outcome.result)
    }
  }

  private measure({ warnings, durationMs }: InvocationResult, isAhead: boolean): void {
    const delayedMs = warnings.reduce((sum, warning) => sum + Number(MICRO_DELAY.exec(warning)?.[1] ?? 0), 0)
    this.scheduler.finish(this.options.clock.now(), { durationMs, delayedMs })
    this.trial.ended({ isAhead, durationMs })
  }

  /** A command that was refused never ran: it waits in front of the queue, while the pool pauses when that was asked for. */
  private startsLater(job: PoolJob, error: unknown, isAhead: boolean): boolean {
    const notBegun = hasNotBegun(error)
    if (isAhead && !notBegun && !job.stop.signal.aborted) this.aheadFailed(error)
    // One that was to be sent ahead is not to blame for a shell that was lost before it could be.
    const wasRefused =
      error instanceof RetryableError &&
      error.detail['mayHaveRun'] === false &&
      (error.detail['shellLost'] === false || isAhead || notBegun)
    if (!wasRefused || this.currentState !== 'opened' || job.stop.signal.aborted || job.isOverdue) return false
    if (error.retryAfterMs === undefined && !isAhead && !notBegun) return false
    if (error.retryAfterMs !== undefined) this.pause(error.retryAfterMs)
    this.scheduler.putBack(job.id, job.priority)
    return true
  }

  private aheadFailed(error: unknown): void {
    const before = this.trial.aheadMax
    this.trial.failed(error instanceof RetryableError && error.code === 'wsman-operation-quota')
    if (before > 0 && this.trial.aheadMax === 0)
      this.options.log.info({ err: error }, 'Commands cannot be sent ahead to this server: none will be')
  }

  /** A command of the shell is over. Starts whatever is next before the caller hears of the result. */
  private release(shell: PooledShell): void {
    const isOld = this.options.clock.now() - shell.openedAt > this.options.ageMs
    if (shell.mustClose || isOld || this.currentState !== 'opened') {
      if (this.scheduler.retired(shell.id)) this.close(shell)
    } else if (this.scheduler.freed(shell.id)) shell.idleSince = this.options.clock.now()
    this.pump()
  }

  private close(shell: PooledShell): void {
    if (shell.isLost) this.counts.shellsLost++
    this.discard(shell, shell.isLost ? 'giveUp' : 'close')
  }

  private async openShell(): Promise<void> {
    let shell: PooledShell
    try {
      shell = await PooledShell.open(++this.lastId, this.shellOptions, this.closing.signal)
    } catch (error) {
      this.openingFailed(error)
      this.pump()
      return
    }
    if (this.currentState !== 'opened') {
      this.scheduler.openFailed(this.options.clock.now())
      await shell.close()
      return
    }
    this.scheduler.opened(shell.id)
    this.keep(shell)
    this.pump()
  }

  private openingFailed(error: unknown): void {
    const now = this.options.clock.now()
    if (this.currentState === 'closed') {
      this.scheduler.openFailed(now)
      return
    }
    const code = error instanceof RetryableError || error instanceof PermanentError ? error.code : 'unknown'
    this.options.log.warn({ err: error, code, shells: this.shells.size }, 'Runspace could not be opened')
    this.counts.openingsFailed++
    const retryAfterMs = error instanceof RetryableError ? error.retryAfterMs : undefined
    if (code === 'runspace-lease-unavailable' || code === 'wsman-shell-quota') {
      this.counts.openingsRefused++
      this.scheduler.openRefused(now, retryAfterMs)
      return
    }
    this.scheduler.openFailed(now)
    if (code === 'wsman-load-quota' && retryAfterMs !== undefined) {
      this.pause(retryAfterMs)
      return
    }
    // Every attempt with a wrong password brings the account closer to its lockout.
    if (code === 'wsman-unauthorized' && error instanceof PermanentError) {
      this.brokenBecause = error
      this.currentState = 'broken'
    }
    if (this.currentState === 'broken' || (this.shells.size === 0 && this.scheduler.shells.opening === 0)) {
      for (const job of [...this.jobs.values()]) if (!job.isRunning) this.fail(job, asNotRun(error))
    }
  }

  private fail(job: PoolJob, error: unknown): void {
    this.leaveQueue(job)
    job.reject(error)
  }

  private keep(shell: PooledShell): void {
    shell.idleSince = this.options.clock.now()
    this.shells.set(shell.id, shell)
    this.counts.shellsOpened++
    this.counts.mostShells = Math.max(this.counts.mostShells, this.shells.size)
  }

  private discard(shell: PooledShell, how: 'close' | 'giveUp'): void {
    this.shells.delete(shell.id)
    this.activities.track(shell[how]())
  }

  private pause(ms: number): void {
    const now = this.options.clock.now()
    this.counts.pausedMs += Math.max(0, now + ms - Math.max(now, this.scheduler.pauseEnds))
    this.scheduler.pause(now, ms)
    this.options.log.warn({ delayMs: ms }, 'Exchange asks for a pause')
  }

  private sweepLater(): void {
    this.cancelSweep = this.options.clock.setTimeout(
      () => {
        this.sweep()
        this.sweepLater()
      },
      Math.min(SWEEP_MS_MAX, this.options.idleMs / 4),
    )
  }

  private sweep(): void {
    const now = this.options.clock.now()
    for (const shell of [...this.shells.values()]) {
      const isDue = now - shell.idleSince >= this.options.idleMs || now - shell.openedAt > this.options.ageMs || shell.mustClose
      if (isDue && this.scheduler.takeIdle(shell.id)) this.close(shell)
    }
  }
}
