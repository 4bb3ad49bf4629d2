import { abortReason, PermanentError, RetryableError } from '@gatehouse/messages'
import type { InvocationResult, InvokeOptions, RunspacePool, RunspacePoolStats } from '../engine.ts'
import { Activities } from '../pool/activities.ts'
import { asNotRun } from '../pool/as-not-run.ts'
import { poolClosed } from '../pool/pool-closed.ts'
import { createPoolCounts } from '../pool/pool-counts.ts'
import { PoolJob } from '../pool/pool-job.ts'
import { UrgentQueue } from '../pool/urgent-queue.ts'
import { checkCommand } from '../protocol/check-command.ts'
import type { Command } from '../protocol/command.ts'
import { HostProcess, type HostProcessOptions } from './host-process.ts'

export type HostPoolOptions = HostProcessOptions & {
  readonly queueMs: number
  readonly queueMax: number
  readonly idleMs: number
  readonly ageMs: number
  /** How long after a process that could not be opened the next one is started. */
  readonly restartMs: number
}

/** Those that wait for a cmdlet which does not end; with more of them the pool waits too. */
const PROCESSES_MAX = 3
const SWEEP_MS_MAX = 15_000

/**
 * The pool over one PowerShell process with N runspaces, and its successors: at most N commands run at once in all of them
 * together. A process is replaced when it ended, was lost a runspace, or grew old; the next command starts the next one.
 */
export class HostRunspacePool implements RunspacePool {
  private readonly options: HostPoolOptions
  private readonly queue = new UrgentQueue()
  private readonly jobs = new Map<number, PoolJob>()
  private readonly processes = new Set<HostProcess>()
  private readonly activities: Activities
  private readonly closing = new AbortController()
  private readonly counts = createPoolCounts()
  private currentState: RunspacePool['state'] = 'opening'
  private brokenBecause: PermanentError | undefined
  private lastId = 0
  private notBefore = 0
  private cancelWake: (() => void) | undefined
  private cancelSweep: (() => void) | undefined

  constructor(options: HostPoolOptions) {
    this.options = options
    this.activities = new Activities((error) => options.log.error({ err: error }, 'Host engine failed'))
  }

  get state(): RunspacePool['state'] {
    return this.currentState
  }

  /** Starts the first process, so that a wrong path, password or module shows at once. */
  async open(signal: AbortSignal): Promise<void> {
    await this.startProcess(AbortSignal.any([signal, this.closing.signal]))
    if (this.currentState === 'closed') throw poolClosed()
    this.currentState = 'opened'
    this.sweepLater()
  }

  async invoke(command: Command, options: InvokeOptions): Promise<InvocationResult> {
    checkCommand(command)
    if (options.signal.aborted) throw abortReason(options.signal)
    if (this.brokenBecause !== undefined) throw this.brokenBecause
    if (this.currentState !== 'opened') throw poolClosed()
    if (this.queue.size >= this.options.queueMax) throw queueFullError(this.options.queueMax)
    const job = new PoolJob({ id: ++this.lastId, command, options, leaveQueue: this.leaveQueue })
    job.limitQueueTime(this.options.clock, this.options.queueMs)
    this.jobs.set(job.id, job)
    this.queue.add(job.id, job.priority)
    this.pump()
    return await job.promise
  }

  prepare(): void {
    if (this.currentState === 'opened' && this.current() === undefined) this.replace()
  }

  stats(): RunspacePoolStats {
    const { runspaces } = this.options
    let shells = 0
    let shellsLost = this.counts.shellsLost
    for (const process of this.processes) {
      if (process.state === 'opened') shells += runspaces
      // Its other runspaces wait for nothing but to be closed.
      if (process.state === 'draining') shells += process.running
      shellsLost += process.lost
    }
    return { ...this.counts, shellsLost, shells, busy: this.busy(), queued: this.queue.size, shellsAllowed: runspaces }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.currentState !== 'closed') {
      this.currentState = 'closed'
      this.cancelWake?.()
      this.cancelSweep?.()
      this.closing.abort(poolClosed())
      for (const job of [...this.jobs.values()]) {
        if (job.isRunning) job.stop.abort()
        else this.fail(job, poolClosed())
      }
      for (const process of this.processes) process.drain()
    }
    await this.activities.ended()
  }

  private readonly leaveQueue = (job: PoolJob): void => {
    this.queue.remove(job.id)
    this.jobs.delete(job.id)
  }

  /** The process that takes commands, or will when it is open. */
  private current(): HostProcess | undefined {
    for (const process of this.processes) if (process.state === 'opened' || process.state === 'opening') return process
    return undefined
  }

  private busy(): number {
    let busy = 0
    for (const process of this.processes) busy += process.running
    return busy
  }

  private pump(): void {
    if (this.currentState !== 'opened') return
    const now = this.options.clock.now()
    while (this.queue.size > 0) {
      if (now < this.notBefore) {
        this.wake(this.notBefore - now)
        return
      }
      const process = this.current()
      if (process === undefined) this.replace()
      if (process?.state !== 'opened' || this.busy() >= this.options.runspaces) return
      this.start(process)
    }
  }

  private start(process: HostProcess): void {
    const id = this.queue.take()
    const job = id === undefined ? undefined : this.jobs.get(id)
    if (job === undefined) throw new Error('The queue named a job that is not there')
    job.isRunning = true
    this.activities.track(this.run(job, process))
  }

  private async run(job: PoolJob, process: HostProcess): Promise<void> {
    try {
      const result = await process.run(job)
      this.counts.invoked++
      this.jobs.delete(job.id)
      job.resolve(result)
    } catch (error) {
      job.isRunning = false
      if (this.startsLater(job, error)) return
      this.jobs.delete(job.id)
      job.reject(error)
    }
  }

  /** Exchange refused the command for now and said for how long: it waits in front of the queue, and everything with it. */
  private startsLater(job: PoolJob, error: unknown): boolean {
    if (!(error instanceof RetryableError) || error.retryAfterMs === undefined) return false
    if (error.detail['mayHaveRun'] !== false || job.stop.signal.aborted || this.currentState !== 'opened') return false
    this.pause(error.retryAfterMs)
    this.queue.addFirst(job.id, job.priority)
    this.pump()
    return true
  }

  private pause(ms: number): void {
    const now = this.options.clock.now()
    this.counts.pausedMs += Math.max(0, now + ms - Math.max(now, this.notBefore))
    this.notBefore = Math.max(this.notBefore, now + ms)
  }

  private wake(ms: number): void {
    this.cancelWake?.()
    this.cancelWake = this.options.clock.setTimeout(() => this.pump(), Math.max(1, Math.ceil(ms)))
  }

  private replace(): void {
    if (this.processes.size >= PROCESSES_MAX) return
    this.activities.track(
      this.startProcess(this.closing.signal).then(
        () => this.pump(),
        (error: unknown) => this.startFailed(error),
      ),
    )
  }

  private async startProcess(signal: AbortSignal): Promise<void> {
    const process = new HostProcess(this.options, () => this.freed(process))
    this.processes.add(process)
    this.activities.track(process.ended)
    await process.open(signal)
    const { runspaces } = this.options
    this.counts.shellsOpened += runspaces
    this.counts.mostShells = Math.max(this.counts.mostShells, this.stats().shells)
    if (this.currentState === 'closed') process.drain()
  }

  private startFailed(error: unknown): void {
    if (this.currentState !== 'opened') return
    const code = error instanceof RetryableError || error instanceof PermanentError ? error.code : 'unknown'
    this.options.log.warn({ err: error, code }, 'PowerShell could not be started')
    this.counts.openingsFailed++
    const retryAfterMs = error instanceof RetryableError ? error.retryAfterMs : undefined
    this.pause(retryAfterMs ?? this.options.restartMs)
    if (retryAfterMs !== undefined) {
      this.pump()
      return
    }
    // Every attempt with a wrong password brings the account closer to its lockout.
    if (error instanceof PermanentError && error.code === 'wsman-access-denied') {
      this.brokenBecause = error
      this.currentState = 'broken'
    }
    for (const job of [...this.jobs.values()]) if (!job.isRunning) this.fail(job, asNotRun(error))
  }

  /** A command of the process has ended, or the process has. */
  private freed(process: HostProcess): void {
    if (process.state === 'gone' && this.processes.delete(process)) this.counts.shellsLost += process.lost
    this.pump()
  }

  private fail(job: PoolJob, error: unknown): void {
    this.leaveQueue(job)
    job.reject(error)
  }

  private sweepLater(): void {
    const everyMs = Math.min(SWEEP_MS_MAX, this.options.idleMs / 4)
    this.cancelSweep = this.options.clock.setTimeout(() => {
      this.sweep()
      this.sweepLater()
    }, everyMs)
  }

  private sweep(): void {
    const now = this.options.clock.now()
    for (const process of this.processes) {
      const isIdle = process.running === 0 && now - process.idleSince >= this.options.idleMs
      if (isIdle || now - process.openedAt > this.options.ageMs) process.drain()
    }
  }
}

function queueFullError(queueMax: number): RetryableError {
  const options = { detail: { mayHaveRun: false } }
  return new RetryableError('runspace-queue-full', `${queueMax} commands wait for a runspace already`, options)
}
