import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import type { Clock } from '../clock.ts'

export type ChildOptions = {
  readonly executable: string
  readonly arguments: readonly string[]
  readonly environment: Readonly<Record<string, string>>
  readonly clock: Clock
  readonly onOutput: (chunk: Buffer) => void
  readonly onErrorOutput: () => void
}

/** How a process ended. `startError`: it could not be started. Without `exitCode` and `signal`: it could not even be killed. */
export type ChildEnd = {
  readonly startError?: NodeJS.ErrnoException
  readonly exitCode?: number | undefined
  readonly signal?: NodeJS.Signals | undefined
}

const STDERR_BYTES_MAX = 8 * 1024
/** How long output may still come after the process has gone, or the process may last after it closed its pipes. */
const GRACE_MS = 1_000
const TERMINATE_MS = 2_000
const KILL_MS = 2_000
const IS_WINDOWS = process.platform === 'win32'

/**
 * One process with pipes to it, and everything that it starts: on Unix it leads a process group, which ends with it. Never
 * throws; `ended` resolves once, after the last output.
 */
export class PowerShellChild {
  readonly ended: Promise<ChildEnd>
  private readonly options: ChildOptions
  private readonly child: ChildProcessWithoutNullStreams | undefined
  private readonly resolveEnded: (end: ChildEnd) => void
  private end: ChildEnd | undefined
  private errorOutput: Buffer = Buffer.alloc(0)
  private unwritten: string[] = []
  private isFull = false
  private isCorked = false
  private isInputEnding = false
  private isPaused = false
  private killing: Promise<void> | undefined
  private cancelGrace: (() => void) | undefined
  private exit: ChildEnd | undefined

  constructor(options: ChildOptions) {
    const { promise, resolve } = Promise.withResolvers<ChildEnd>()
    this.options = options
    this.ended = promise
    this.resolveEnded = resolve
    try {
      this.child = spawn(options.executable, [...options.arguments], {
        env: { ...options.environment },
        stdio: 'pipe',
        detached: !IS_WINDOWS,
        windowsHide: true,
      })
    } catch (error) {
      this.finish({ startError: error as NodeJS.ErrnoException })
      return
    }
    this.listen(this.child)
  }

  /** The last of what it wrote to standard error, for people to read. */
  get errorText(): string {
    return this.errorOutput.toString('utf8').trim()
  }

  /** The process has gone; there may still be output of it. */
  get hasExited(): boolean {
    return this.exit !== undefined || this.end !== undefined
  }

  get processId(): number | undefined {
    return this.child?.pid
  }

  /** Lines wait while the pipe is full. Those of one turn go out together: each write to a pipe wakes the other process. */
  write(line: string): void {
    const stdin = this.child?.stdin
    if (this.isFull || stdin === undefined) {
      this.unwritten.push(line)
      return
    }
    if (!this.isCorked) {
      this.isCorked = true
      stdin.cork()
      process.nextTick(() => {
        this.isCorked = false
        stdin.uncork()
      })
    }
    this.isFull = !stdin.write(`${line}\n`, 'latin1')
  }

  /** No more input: PowerShell takes this for the end of its session. */
  endInput(): void {
    this.isInputEnding = true
    if (!this.isFull) this.child?.stdin.end()
  }

  pauseOutput(): void {
    this.isPaused = true
    this.child?.stdout.pause()
  }

  resumeOutput(): void {
    if (!this.isPaused) return
    this.isPaused = false
    this.child?.stdout.resume()
  }

  /** Ends the process if it has not ended: first politely, then not. Resolves when it has, or after 4 s; never rejects. */
  kill(): Promise<void> {
    this.killing ??= this.killInSteps()
    return this.killing
  }

  /** True when the process has ended within `ms`. */
  async endsWithin(ms: number): Promise<boolean> {
    let cancel: (() => void) | undefined
    const late = new Promise<boolean>((resolve) => {
      cancel = this.options.clock.setTimeout(() => resolve(false), ms)
    })
    const ended = this.ended.then(() => true)
    try {
      return await Promise.race([ended, late])
    } finally {
      cancel?.()
    }
  }

  private async killInSteps(): Promise<void> {
    if (this.end !== undefined) return
    // What is not read would keep `close` from coming.
    this.resumeOutput()
    this.signal('SIGTERM')
    if (await this.endsWithin(TERMINATE_MS)) return
    this.signal('SIGKILL')
    if (!(await this.endsWithin(KILL_MS))) this.finish({})
  }

  private listen(child: ChildProcessWithoutNullStreams): void {
    child.stdout.on('data', this.options.onOutput)
    child.stdout.on('end', () => this.expectEnd())
    child.stdout.on('error', () => this.expectEnd())
    child.stderr.on('data', (chunk: Buffer) => this.keepErrorOutput(chunk))
    child.stderr.on('error', () => {})
    child.stdin.on('drain', () => this.drain())
    child.stdin.on('error', () => this.expectEnd())
    child.on('error', (error) => {
      if (child.pid === undefined) this.finish({ startError: error })
    })
    child.on('exit', (code, signal) => {
      this.exit = { exitCode: code ?? undefined, signal: signal ?? undefined }
      // What a cmdlet has started ends with it, and with that the pipes that it may have inherited.
      this.signal('SIGKILL')
      this.expectEnd()
    })
    child.on('close', () => this.finish(this.exit ?? {}))
  }

  /** A pipe or the process has ended: the rest must follow soon. */
  private expectEnd(): void {
    if (this.end !== undefined) return
    this.resumeOutput()
    this.cancelGrace ??= this.options.clock.setTimeout(() => {
      if (this.exit === undefined) void this.kill()
      else this.finish(this.exit)
    }, GRACE_MS)
  }

  private finish(end: ChildEnd): void {
    if (this.end !== undefined) return
    this.end = end
    this.cancelGrace?.()
    this.unwritten = []
    for (const stream of [this.child?.stdin, this.child?.stdout, this.child?.stderr]) stream?.destroy()
    this.child?.unref()
    this.resolveEnded(end)
  }

  private drain(): void {
    this.isFull = false
    const lines = this.unwritten
    this.unwritten = []
    for (const line of lines) this.write(line)
    if (this.isInputEnding) this.endInput()
  }

  private keepErrorOutput(chunk: Buffer): void {
    const all = Buffer.concat([this.errorOutput, chunk.subarray(-STDERR_BYTES_MAX)])
    // Copied: what is kept must not hold more in memory than is wanted of it.
    this.errorOutput = Buffer.from(all.subarray(-STDERR_BYTES_MAX))
    this.options.onErrorOutput()
  }

  private signal(signal: 'SIGTERM' | 'SIGKILL'): void {
    const pid = this.child?.pid
    if (pid === undefined) return
    try {
      if (IS_WINDOWS) this.child?.kill(signal)
      else process.kill(-pid, signal)
    } catch {
      // There is no such group any more.
    }
  }
}
