import type { ChildProcess } from 'node:child_process'
import { PowerShell } from 'node-powershell'
import type { Clock } from '../clock.ts'
import { LineSplitter } from './line-splitter.ts'

export type OwnedShellOptions = {
  readonly executable: string
  readonly environment: Readonly<Record<string, string>>
  readonly lineCharsMax: number
  readonly clock: Clock
  readonly onLine: (line: string) => void
  /** Called once, when the process is gone and its last line was handed over, or could not be started. */
  readonly onExit: (exit: ShellExit) => void
}

/** `startError`: it was never there. `errorText`: the end of what it wrote to standard error. */
export type ShellExit = {
  readonly startError?: Error
  readonly code: number | undefined
  readonly signal: string | undefined
  readonly isLineTooLong: boolean
  readonly errorText: string
}

const ERROR_CHARS_MAX = 4_000
/** How long what it started may keep its output open after the process is gone. */
const DRAIN_MS = 500
/** How long a killed process may take to be gone before it is no longer waited for. */
const KILL_MS = 5_000

/** node-powershell takes the variable NODE_POWERSHELL of its own process for the executable, whatever it was told. */
class ChosenPowerShell extends PowerShell {
  protected override setExecutable({ executable = '' }: { executable?: string }): string {
    return executable
  }
}

/**
 * A PowerShell process that node-powershell 5.0.1 starts and owns; nothing but that is used of it. Its `invoke` is not: that
 * keeps every command and its output for ever, runs one command at a time, and forgets its callers when it is disposed of. Here
 * the process is written to and read from by its streams. Never throws and never rejects; the end is told by `onExit`.
 */
export class OwnedShell {
  private readonly options: OwnedShellOptions
  private readonly shell: ChosenPowerShell | undefined
  private readonly process: ChildProcess | undefined
  private readonly splitter: LineSplitter
  private errorText = ''
  private isLineTooLong = false
  private isOver = false
  private groupId: number | undefined
  private cancelDrain: (() => void) | undefined
  private cancelKill: (() => void) | undefined

  constructor(options: OwnedShellOptions) {
    this.options = options
    this.splitter = new LineSplitter(options.lineCharsMax)
    try {
      this.shell = new ChosenPowerShell({
        executable: options.executable,
        executableOptions: { '-NoProfile': true, '-NonInteractive': true },
        spawnOptions: { env: { ...options.environment }, windowsHide: true },
      })
    } catch (error) {
      queueMicrotask(() => this.end({ startError: error as Error, code: undefined, signal: undefined }))
      return
    }
    // A private field of version 5.0.1; the dependency is pinned to it.
    this.process = this.shell['process'] as ChildProcess
    this.guard(this.shell, this.process)
  }

  /** How much node-powershell has kept; it must stay 0. */
  get remembered(): number {
    return this.shell?.history.length ?? 0
  }

  /** One line of input. It is dropped when the process is gone: `onExit` tells. */
  write(line: string): void {
    if (this.shell?.streams.stdin.writable === true) this.shell.streams.stdin.write(`${line}\n`)
  }

  /** The process leads a group of this id: what it starts can be ended with it. */
  leadsGroup(groupId: number): void {
    if (groupId === this.process?.pid) this.groupId = groupId
  }

  /** Ends the process and what it started, at once. */
  kill(): void {
    if (this.isOver || this.shell === undefined) return
    this.killTree()
    this.shell.dispose('SIGKILL').catch(() => {})
    this.cancelKill ??= this.options.clock.setTimeout(() => this.end({ code: undefined, signal: undefined }), KILL_MS)
  }

  private guard(shell: ChosenPowerShell, child: ChildProcess): void {
    const { stdin, stdout, stderr } = shell.streams
    // Rejects when the process cannot be started or ends with an error, also when nobody waits for it.
    ;(shell['exitPromise'] as Promise<unknown>).catch(() => {})
    // It listens for the first error of standard input only.
    for (const stream of [stdin, stdout, stderr]) stream.on('error', () => {})
    // Its pipe for errors is taken away after three pieces, and with that standard error would stand still and fill up.
    stderr.unpipe()
    stderr.on('data', (text: string) => {
      this.errorText = (this.errorText + text).slice(-ERROR_CHARS_MAX)
    })
    stderr.resume()
    stdout.on('data', (text: string) => this.receive(text))
    child.on('error', (error) => {
      if (child.pid === undefined) this.end({ startError: error, code: undefined, signal: undefined })
    })
    child.on('exit', (code, signal) => {
      this.killTree()
      const exit = { code: code ?? undefined, signal: signal ?? undefined }
      child.on('close', () => this.end(exit))
      this.cancelDrain = this.options.clock.setTimeout(() => this.end(exit), DRAIN_MS)
    })
  }

  private receive(text: string): void {
    if (this.isOver || this.isLineTooLong) return
    this.isLineTooLong = !this.splitter.split(text, this.options.onLine)
    if (this.isLineTooLong) this.kill()
  }

  private killTree(): void {
    if (this.groupId === undefined) return
    try {
      process.kill(-this.groupId, 'SIGKILL')
    } catch {
      // Nothing of the group is left.
    }
  }

  private end(exit: Pick<ShellExit, 'startError' | 'code' | 'signal'>): void {
    if (this.isOver) return
    this.isOver = true
    this.cancelDrain?.()
    this.cancelKill?.()
    for (const stream of Object.values(this.shell?.streams ?? {})) stream.destroy()
    this.options.onExit({ ...exit, isLineTooLong: this.isLineTooLong, errorText: this.errorText.trim() })
  }
}
