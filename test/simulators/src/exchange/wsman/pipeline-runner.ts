import { randomUUID } from 'node:crypto'
import { setTimeout as wait } from 'node:timers/promises'
import type { ReceivedCommand } from '@gatehouse/powershell/protocol'
import { bindParameters } from '../cmdlets/bind-parameters.ts'
import { type Cmdlet, type CmdletOutcome, type CmdletRun, outcome } from '../cmdlets/cmdlet.ts'
import {
  commandNotFound,
  pipelineStopped,
  scriptsNotAllowed,
  taskError,
  transientDirectoryError,
} from '../cmdlets/error-records.ts'
import type { Faults } from '../faults.ts'
import type { Ledger } from '../ledger.ts'
import type { Organization } from '../organization/organization.ts'
import type { Shell, ShellCommand } from './shell.ts'

export type PipelineRunnerOptions = {
  organization: Organization
  ledger: Ledger
  faults: Faults
  cmdlets: ReadonlyMap<string, Cmdlet>
  server: string
  duplicateAdd: 'ignore' | 'error'
  /** What every cmdlet takes, by a timer: many may wait at once, none uses the processor meanwhile. */
  latencyMs: () => number
  /** Bytes of this command are ready to be received. */
  onOutput: (shell: Shell, command: ShellCommand) => void
  /** The shell dies now, with what it had not delivered. */
  onDeath: (shell: Shell) => void
}

type Perform = () => CmdletOutcome | Promise<CmdletOutcome>

/** Runs pipelines: one at a time in each shell, in the order they came. */
export class PipelineRunner {
  readonly #o: PipelineRunnerOptions
  readonly #permitted: readonly string[]

  constructor(options: PipelineRunnerOptions) {
    this.#o = options
    this.#permitted = [...options.cmdlets.values()].map((cmdlet) => cmdlet.name)
  }

  start(shell: Shell, command: ShellCommand): void {
    command.state = 'queued'
    shell.queue.push(command)
    this.#next(shell)
  }

  /** Signal crtl_c: as PowerShell stops a pipeline. A cmdlet that does not listen keeps its runspace. */
  stop(shell: Shell, command: ShellCommand): void {
    if (command.state === 'ended' || command.ignoresStop) return
    if (command.pipelineId !== undefined) shell.pool.state(command.pipelineId, 'stopped', pipelineStopped())
    this.#end(shell, command)
  }

  /** The shell is gone: nothing of it runs any more. */
  abandon(shell: Shell): void {
    if (shell.running !== undefined) {
      this.#o.ledger.endPipeline()
      clearTimeout(shell.running.timer)
      shell.running.stopper?.abort()
      shell.running.state = 'ended'
    }
    shell.queue.length = 0
    shell.running = undefined
  }

  /** What the account may run. */
  get cmdlets(): readonly Cmdlet[] {
    return [...this.#o.cmdlets.values()]
  }

  /**
   * Runs a cmdlet outside of any shell, for a client that has its runspaces itself; `lost` where a shell would have died of it.
   * Rejects once it is stopped: then nothing has changed, unless it was at work already.
   */
  async runAlone(received: ReceivedCommand, stopped: AbortSignal): Promise<CmdletOutcome | 'lost'> {
    const { ledger, faults, latencyMs } = this.#o
    const command: ShellCommand = {
      id: randomUUID(),
      pipelineId: undefined,
      commands: [received],
      state: 'running',
      timer: undefined,
      ignoresStop: false,
    }
    ledger.beginPipeline()
    try {
      const prepared = this.#prepare(command)
      if (typeof prepared !== 'function') return prepared
      stopped.addEventListener('abort', () => command.stopper?.abort(), { once: true })
      if (faults.hangs(received.name) !== undefined) {
        ledger.addFault('hang')
        return await untilAborted(stopped)
      }
      const slowMs = faults.microDelayMs()
      if (latencyMs() + slowMs > 0) await wait(latencyMs() + slowMs, undefined, { signal: stopped })
      const result = withMicroDelay(await prepared(), slowMs)
      if (!faults.killsShellAfterCmdlet()) return result
      ledger.addFault('shell-death')
      return 'lost'
    } finally {
      ledger.endPipeline()
    }
  }

  #next(shell: Shell): void {
    if (shell.running !== undefined || shell.isClosed) return
    const command = shell.queue.shift()
    if (command === undefined) return
    shell.running = command
    command.state = 'running'
    this.#o.ledger.beginPipeline()
    this.#run(shell, command)
  }

  #run(shell: Shell, command: ShellCommand): void {
    const prepared = this.#prepare(command)
    if (typeof prepared === 'function') {
      const hang = this.#o.faults.hangs(command.commands[0]?.name ?? '')
      if (hang !== undefined) {
        this.#o.ledger.addFault('hang')
        command.ignoresStop = hang.ignoreStop
        return
      }
      const slowMs = this.#o.faults.microDelayMs()
      const waitMs = this.#o.latencyMs() + slowMs
      const finish = () => this.#perform(shell, command, prepared, slowMs)
      if (waitMs <= 0) finish()
      else command.timer = setTimeout(finish, waitMs)
      return
    }
    this.#finish(shell, command, prepared)
  }

  #perform(shell: Shell, command: ShellCommand, perform: Perform, slowMs: number): void {
    const result = perform()
    if (!(result instanceof Promise)) {
      this.#finish(shell, command, withMicroDelay(result, slowMs))
      return
    }
    void result.then((later) => {
      if (command.state === 'running') this.#finish(shell, command, later)
    })
  }

  /** A refusal, or the work to be done once the latency has passed. */
  #prepare(command: ShellCommand): CmdletOutcome | Perform {
    const { ledger, cmdlets, faults } = this.#o
    const [received, ...piped] = command.commands
    if (received === undefined || command.commands.some((each) => each.isScript)) {
      ledger.addRefusal('script')
      return outcome({ failed: scriptsNotAllowed() })
    }
    const cmdlet = cmdlets.get(received.name.toLowerCase())
    if (cmdlet === undefined) {
      ledger.addRefusal('unknown-cmdlet')
      return outcome({ failed: commandNotFound(received.name) })
    }
    const binding = bindParameters(cmdlet, received)
    if ('failed' in binding) {
      ledger.addRefusal('parameter-binding')
      return outcome({ failed: binding.failed })
    }
    const run: CmdletRun = {
      cmdlet,
      organization: this.#o.organization,
      ledger,
      server: this.#o.server,
      duplicateAdd: this.#o.duplicateAdd,
      permitted: this.#permitted,
      parameters: binding.parameters,
    }
    if (piped.some((each) => !/^out-default$/i.test(each.name))) return outcome({ failed: pipesNotSimulated(run) })
    ledger.addCmdlet(cmdlet.name)
    if (faults.failsCmdlet(cmdlet.name)) {
      ledger.addFault('transient-cmdlet')
      return () => outcome({ errors: [transientDirectoryError(run)] })
    }
    const { runUntil } = cmdlet
    if (runUntil === undefined) return () => cmdlet.run(run)
    command.ignoresStop = cmdlet.ignoresStop === true
    const stopper = new AbortController()
    command.stopper = stopper
    return () => runUntil(run, stopper.signal)
  }

  #finish(shell: Shell, command: ShellCommand, result: CmdletOutcome): void {
    if (shell.isClosed || command.pipelineId === undefined) return
    if (this.#o.faults.killsShellAfterCmdlet()) {
      this.#o.ledger.addFault('shell-death')
      this.#o.onDeath(shell)
      return
    }
    const id = command.pipelineId
    shell.isWriting = true
    for (const text of result.warnings) shell.pool.warning(id, text)
    for (const text of result.verbose ?? []) shell.pool.verbose(id, text)
    for (const text of result.debug ?? []) shell.pool.debug(id, text)
    for (const text of result.information ?? []) shell.pool.information(id, text)
    for (const clixml of result.output) shell.pool.outputEncoded(id, clixml)
    for (const record of result.errors) shell.pool.error(id, record)
    shell.pool.state(id, result.failed === undefined ? 'completed' : 'failed', result.failed)
    shell.isWriting = false
    this.#end(shell, command)
  }

  #end(shell: Shell, command: ShellCommand): void {
    clearTimeout(command.timer)
    command.stopper?.abort()
    if (command.state === 'running') this.#o.ledger.endPipeline()
    command.state = 'ended'
    const queued = shell.queue.indexOf(command)
    if (queued >= 0) shell.queue.splice(queued, 1)
    if (shell.running === command) shell.running = undefined
    shell.lastActivity = Date.now()
    this.#o.onOutput(shell, command)
    this.#next(shell)
  }
}

function untilAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason)
    else signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
}

function withMicroDelay(result: CmdletOutcome, delayMs: number): CmdletOutcome {
  if (delayMs <= 0) return result
  const text = `Micro delay applied. Actual delayed: ${delayMs} msecs, Enforced: True, Capped delay: ${delayMs} msecs, Required: False, Additional info: .; PolicyDN: [Fallback]; Snapshot: Owner: Sid~CONTOSO\\svc-gatehouse~WSMan~false; BudgetType: WSMan; ActiveRunspaces: 12/18; Balance: -1000/600000/-3000000; PowerShellCmdletsLeft: 12/400; ExchangeCmdletsLeft: 6/200; CmdletTimePeriod: 5; DestructiveCmdletsLeft: 120/120; DestructiveCmdletTimePeriod: 60; QueueDepth: 100; MaxRunspacesTimePeriod: 60; RunSpacesRemaining: 20/20; Locked: False; LockRemaining: 00:00:00`
  return { ...result, warnings: [text, ...result.warnings] }
}

/** Exchange would run it; nobody here needs it, and a silent wrong answer would be worse. */
function pipesNotSimulated(run: CmdletRun) {
  return taskError(run, 'NotSimulated', 'System.NotSupportedException', 'This simulator does not run piped commands.')
}
