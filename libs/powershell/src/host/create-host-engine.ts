import { readFileSync } from 'node:fs'
import { PermanentError } from '@gatehouse/messages'
import { type Clock, systemClock } from '../clock.ts'
import type { PowerShellEngine } from '../engine.ts'
import { type EngineLog, quietLog } from '../engine-log.ts'
import { createPoolEngine } from '../pool/create-pool-engine.ts'
import type { Trace } from '../protocol/trace.ts'
import { environmentOf } from '../stdio/environment.ts'
import { encodeConnection, type HostConnection } from './host-connection.ts'
import { type HostPoolOptions, HostRunspacePool } from './host-runspace-pool.ts'

/** Limits of the pool, in milliseconds, UTF-16 units and counts. */
export type HostLimits = {
  /** How long PowerShell may take to start and to open its runspaces. Default 60 s. */
  readonly openMs: number
  /** How long a stopped cmdlet may take to stop before its runspace is given up. Default 10 s. */
  readonly stopMs: number
  /** How long closing the pool may take, and with it the sessions on the server. Default 5 s. */
  readonly closeMs: number
  /** How often PowerShell is asked whether it is alive; one that has not answered by the next time is killed. Default 15 s. */
  readonly pingMs: number
  /** How long a command may wait for a runspace. Default 10 min. */
  readonly queueMs: number
  /** How many commands may wait for a runspace. Default 10,000. */
  readonly queueMax: number
  /** A process without work is closed after this time. Default 10 min. */
  readonly idleMs: number
  /** A process is replaced at this age. Default 30 min. */
  readonly ageMs: number
  /** How long after a failed start the next is tried. Default 1 s. */
  readonly restartMs: number
  /** Of one line, which holds one object. Default 64 Mi. */
  readonly lineCharsMax: number
  /** Of one cmdlet's whole output. Default 1 Gi. */
  readonly resultCharsMax: number
}

export type HostEngineOptions = {
  /** What starts PowerShell, by path or by name. Default `powershell` on Windows, else `pwsh`. */
  readonly executable?: string
  /** The whole environment of the process, but for what keeps PowerShell quiet; see `basicEnvironment`. Default empty. */
  readonly environment?: Readonly<Record<string, string>>
  /** Where the cmdlets run: without it in the process itself. Only PowerShell on Windows can connect. */
  readonly connection?: HostConnection
  /** Modules that every runspace of the process itself imports, by path or by name. */
  readonly modules?: readonly string[]
  /** No pool of this engine opens more runspaces, whatever `open` asks for. Default 12. */
  readonly runspacesMax?: number
  readonly limits?: Partial<HostLimits>
  readonly log?: EngineLog
  readonly clock?: Clock
  /** Is shown every line that goes to PowerShell and comes from it, with secrets masked. */
  readonly trace?: Trace
}

const DEFAULT_LIMITS: HostLimits = {
  openMs: 60_000,
  stopMs: 10_000,
  closeMs: 5_000,
  pingMs: 15_000,
  queueMs: 600_000,
  queueMax: 10_000,
  idleMs: 600_000,
  ageMs: 1_800_000,
  restartMs: 1_000,
  lineCharsMax: 64 * 1024 * 1024,
  resultCharsMax: 1024 * 1024 * 1024,
}
/** Exchange allows an account 18 shells, some of which are for people. */
const RUNSPACES_MAX = 12
const SCRIPT = new URL('./host-script.ps1', import.meta.url)

/**
 * An engine that lets a PowerShell on this machine run the cmdlets: node-powershell starts the process, one constant script in
 * it holds a RunspacePool, and commands and results travel as lines of JSON with values as CLIXML ([MS-PSRP] 2.2.5), so that
 * results are those of the remoting engine. Starts nothing until `open`. Throws PermanentError('host-settings-refused') for
 * settings that cannot work or would not be safe.
 *
 * `open` and `invoke` throw PermanentError('powershell-not-found') and RetryableError('powershell-exited' |
 * 'powershell-malformed' | 'powershell-open-failed' | 'runspace-open-timeout' | 'runspace-broken' | 'runspace-queue-full') besides
 * the `cmdlet-…`, `result-…`, `value-…` and, with a connection, `wsman-…` codes of the remoting engine.
 */
export function createHostEngine(o: HostEngineOptions): PowerShellEngine {
  checkOptions(o)
  return createPoolEngine({
    runspacesMax: o.runspacesMax ?? RUNSPACES_MAX,
    refuse: refused,
    createPool: (runspaces) => new HostRunspacePool(poolOptions(o, runspaces, readFileSync(SCRIPT, 'utf8'))),
  })
}

function poolOptions(o: HostEngineOptions, runspaces: number, script: string): HostPoolOptions {
  const { connection, modules } = o
  return {
    ...DEFAULT_LIMITS,
    ...o.limits,
    executable: o.executable ?? (process.platform === 'win32' ? 'powershell' : 'pwsh'),
    environment: environmentOf(o.environment ?? {}, runspaces),
    script,
    runspaces,
    openRequest: connection === undefined ? { modules: modules ?? [] } : { connection: encodeConnection(connection) },
    clock: o.clock ?? systemClock,
    log: o.log ?? quietLog,
    trace: o.trace,
  }
}

function checkOptions({ runspacesMax = RUNSPACES_MAX, executable, connection, modules }: HostEngineOptions): void {
  if (!Number.isInteger(runspacesMax) || runspacesMax < 1) throw refused('runspacesMax must be at least 1')
  if (executable === '') throw refused('executable is empty')
  if (connection === undefined) return
  if (modules !== undefined) throw refused('modules are imported into runspaces of this machine, not of a connection')
  const url = URL.parse(connection.uri)
  if (url?.protocol !== 'https:' && url?.protocol !== 'http:') throw refused('connection.uri must be an http or https URL')
  if (connection.authentication === 'Basic' && url.protocol === 'http:')
    throw refused('Basic authentication over http would show the password to everybody')
}

function refused(why: string): PermanentError {
  return new PermanentError('host-settings-refused', `Host engine settings cannot be used: ${why}`)
}
