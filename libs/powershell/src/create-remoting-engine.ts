import { type Clock, systemClock } from './clock.ts'
import type { PowerShellEngine } from './engine.ts'
import { type EngineLog, quietLog } from './engine-log.ts'
import type { LeaseBroker } from './leases.ts'
import { createPoolEngine } from './pool/create-pool-engine.ts'
import type { RemotingTransport } from './pool/remote-shell.ts'
import { RemotingRunspacePool } from './pool/runspace-pool.ts'
import type { Command } from './protocol/command.ts'
import type { Trace } from './protocol/trace.ts'
import { createStdioTransport, type StdioTransportOptions } from './stdio/stdio-transport.ts'
import type { HttpTrace } from './wsman/http-trace.ts'
import type { CreateSecurityContext } from './wsman/security-context.ts'
import { settingsRefused } from './wsman/settings-refused.ts'
import { createWsmanTransport, type WsmanTransportOptions } from './wsman/wsman-transport.ts'

/** Limits of the pool, in milliseconds and bytes; the defaults suit Exchange. */
export type PoolLimits = {
  /** How long a new shell may take until its runspace is open and prepared. Default 60 s. */
  readonly openMs: number
  /** How long a stopped cmdlet may take to stop before its shell is given up. Default 10 s. */
  readonly stopMs: number
  /** How long deleting a shell may take. Default 5 s. */
  readonly closeMs: number
  /** How long a command may wait for a runspace. Default 10 min. */
  readonly queueMs: number
  /** Shells are replaced at this age. Default 30 min. */
  readonly ageMs: number
  /** How long after a quota fault one more shell is tried. Default 15 s. */
  readonly growBackMs: number
  readonly leaseRenewMs: number
  /** Of one answer over HTTP. Default 8 MiB. */
  readonly responseBytesMax: number
  /** How much longer than the server may hold a request the head of its answer may take, over HTTP. Default 10 s. */
  readonly answerMs: number
  /** How long the body of an answer over HTTP may take after its head. Default 60 s. */
  readonly bodyMs: number
  /** How long a socket to the server, a proxy's tunnel or a Kerberos token may take. Default 10 s. */
  readonly connectMs: number
  /** Of one cmdlet's whole output. Default 1 GiB. */
  readonly resultBytesMax: number
}

export type RemotingEngineOptions = {
  readonly transport: WsmanTransportOptions | StdioTransportOptions
  /** Run on every new runspace before its first command, such as Set-ADServerSettings. */
  readonly onOpenRunspace?: readonly Command[]
  readonly leases?: LeaseBroker
  /** No pool of this engine opens more shells, whatever `open` asks for. */
  readonly shellsMax: number
  readonly limits?: Partial<PoolLimits>
  readonly log?: EngineLog
  readonly clock?: Clock
  /** Is shown every PSRP message, with secrets masked. */
  readonly trace?: Trace
  /** Is shown every request over HTTP: what it was for and what became of it, without headers or bodies. */
  readonly traceHttp?: HttpTrace
  /** For Negotiate over WSMan. Default: the optional package `kerberos`. */
  readonly createSecurityContext?: CreateSecurityContext
}

const DEFAULT_LIMITS: Omit<PoolLimits, 'responseBytesMax' | 'answerMs' | 'bodyMs' | 'connectMs'> = {
  openMs: 60_000,
  stopMs: 10_000,
  closeMs: 5_000,
  queueMs: 600_000,
  ageMs: 1_800_000,
  growBackMs: 15_000,
  leaseRenewMs: 20_000,
  resultBytesMax: 1024 * 1024 * 1024,
}

/**
 * An engine that speaks MS-PSRP. Opens nothing until `open`. Throws PermanentError('wsman-url-refused' |
 * 'wsman-settings-refused' | 'stdio-settings-refused') for settings that cannot work or would not be safe.
 */
export function createRemotingEngine(o: RemotingEngineOptions): PowerShellEngine {
  if (!Number.isInteger(o.shellsMax) || o.shellsMax < 1) throw settingsRefused('shellsMax must be at least 1')
  const transport = createTransport(o)
  const limits = { ...DEFAULT_LIMITS, ...o.limits }
  return createPoolEngine({
    runspacesMax: o.shellsMax,
    refuse: settingsRefused,
    createPool: (runspaces) =>
      new RemotingRunspacePool({
        ...limits,
        createShell: () => transport.createShell(),
        runspaces,
        idleMs: transport.idleMs,
        canSendAhead: transport.canSendAhead ?? true,
        leases: o.leases,
        onOpenRunspace: o.onOpenRunspace ?? [],
        clock: o.clock ?? systemClock,
        log: o.log ?? quietLog,
      }),
  })
}

function createTransport(o: RemotingEngineOptions): RemotingTransport {
  const { transport, limits, trace, clock, onOpenRunspace = [] } = o
  if (transport.kind === 'stdio')
    return createStdioTransport(transport, { trace, clock, preparesRunspaces: onOpenRunspace.length > 0 })
  const { log, traceHttp, createSecurityContext } = o
  const { responseBytesMax, answerMs, bodyMs, connectMs } = limits ?? {}
  // Not the pool's clock: how long a network may take has nothing to do with how long a cmdlet may.
  return createWsmanTransport(transport, {
    responseBytesMax,
    answerMs,
    bodyMs,
    connectMs,
    log,
    trace,
    traceHttp,
    createSecurityContext,
  })
}
