import { PermanentError } from '@gatehouse/messages'
import { type Clock, systemClock } from '../clock.ts'
import type { RemoteShell, RemotingTransport } from '../pool/remote-shell.ts'
import type { Trace } from '../protocol/trace.ts'
import { environmentOf } from './environment.ts'
import { StdioSession, type StdioSessionOptions } from './stdio-session.ts'
import { type SharedSession, StdioShell } from './stdio-shell.ts'

export type StdioTransportOptions = {
  readonly kind: 'stdio'
  /** `pwsh` of PowerShell 7, or `powershell.exe`: a path, or a name to be found on the PATH of `environment`. */
  readonly executable: string
  /** After `-s -NoLogo -NoProfile`, such as `-ConfigurationFile` and the path of one. */
  readonly arguments?: readonly string[]
  /** The whole environment of the processes, but for what keeps them quiet. `basicEnvironment` gives what they usually need. */
  readonly environment?: Readonly<Record<string, string>>
  /** How many commands one process runs at once. Default 4, or 1 with commands for every new runspace. At most 64. */
  readonly runspacesPerProcess?: number
  /** How long a runspace may be idle; a process ends with its last. Default 10 min, at least 1 s. */
  readonly idleTimeoutMs?: number
  /** A process of this age takes no more runspaces. Default 30 min. */
  readonly ageMs?: number
}

const RUNSPACES_PER_PROCESS = 4
const RUNSPACES_PER_PROCESS_MAX = 64
const IDLE_TIMEOUT_MS = 600_000
const IDLE_TIMEOUT_MS_MIN = 1_000
const AGE_MS = 1_800_000

/**
 * Runspaces in processes of PowerShell on this machine, by their standard streams. Throws PermanentError('stdio-settings-refused')
 * for settings that cannot work. `preparesRunspaces`: every runspace is to run commands before all others, so a process has one:
 * PowerShell does not say which runspace of a pool runs a pipeline.
 */
export function createStdioTransport(
  options: StdioTransportOptions,
  o: { trace?: Trace | undefined; clock?: Clock | undefined; preparesRunspaces?: boolean } = {},
): RemotingTransport {
  const clock = o.clock ?? systemClock
  const runspaces = readRunspaces(options, o.preparesRunspaces ?? false)
  const sessionOptions = { ...readProgram(options, runspaces), runspaces, clock, trace: o.trace }
  const idleMs = options.idleTimeoutMs ?? IDLE_TIMEOUT_MS
  const ageMs = options.ageMs ?? AGE_MS
  if (!(idleMs >= IDLE_TIMEOUT_MS_MIN)) throw settingsRefused(`idleTimeoutMs must be at least ${IDLE_TIMEOUT_MS_MIN}`)
  if (!(ageMs > 0)) throw settingsRefused('ageMs must be above 0')
  const processes = new Set<ProcessSlots>()
  return {
    idleMs,
    canSendAhead: false,
    createShell: () => {
      for (const process of processes) if (process.isOver) processes.delete(process)
      const free = [...processes].find(({ takesShells }) => takesShells) ?? new ProcessSlots(sessionOptions, ageMs)
      processes.add(free)
      return free.join()
    },
  }
}

/** One process and the shells that share it. */
class ProcessSlots implements SharedSession {
  readonly session: StdioSession
  private readonly clock: Clock
  private readonly slotsMax: number
  private readonly agesAt: number
  private readonly shells = new Set<StdioShell>()
  private lastNumber = 0
  private hasRetired = false
  /** Its last shell has left it. */
  isOver = false

  constructor(options: StdioSessionOptions, ageMs: number) {
    this.session = new StdioSession(options)
    this.clock = options.clock
    this.slotsMax = options.runspaces
    this.agesAt = options.clock.now() + ageMs
  }

  get isRetiring(): boolean {
    return this.hasRetired
  }

  get takesShells(): boolean {
    const isUsable = !this.isOver && !this.hasRetired && !this.session.isLost
    return isUsable && this.shells.size < this.slotsMax && this.clock.now() < this.agesAt
  }

  join(): RemoteShell {
    const shell = new StdioShell({ shared: this, number: ++this.lastNumber, clock: this.clock })
    this.shells.add(shell)
    return shell
  }

  retire(): void {
    this.hasRetired = true
  }

  leave(shell: StdioShell): boolean {
    this.shells.delete(shell)
    this.isOver = this.shells.size === 0
    return this.isOver
  }
}

function readRunspaces({ runspacesPerProcess: asked }: StdioTransportOptions, preparesRunspaces: boolean): number {
  const runspaces = asked ?? (preparesRunspaces ? 1 : RUNSPACES_PER_PROCESS)
  if (!Number.isInteger(runspaces) || runspaces < 1 || runspaces > RUNSPACES_PER_PROCESS_MAX)
    throw settingsRefused(`runspacesPerProcess must be between 1 and ${RUNSPACES_PER_PROCESS_MAX}`)
  if (preparesRunspaces && runspaces > 1)
    throw settingsRefused('runspacesPerProcess must be 1 when commands are to be run on every new runspace')
  return runspaces
}

function readProgram(
  options: StdioTransportOptions,
  runspaces: number,
): Pick<StdioSessionOptions, 'executable' | 'arguments' | 'environment'> {
  const { executable, arguments: given = [], environment = {} } = options
  const texts = [executable, ...given, ...Object.entries(environment).flat()]
  if (executable === '') throw settingsRefused('executable is empty')
  if (texts.some((text) => text.includes('\0')))
    throw settingsRefused('a path, an argument or a variable holds a NUL character')
  return { executable, arguments: given, environment: environmentOf(environment, runspaces) }
}

function settingsRefused(why: string): PermanentError {
  return new PermanentError('stdio-settings-refused', `PowerShell processes cannot be used: ${why}`)
}
