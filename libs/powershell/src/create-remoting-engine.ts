import { PermanentError } from '@gatehouse/messages'
import { type Clock, systemClock } from './clock.ts'
import type { PowerShellEngine, RunspacePool } from './engine.ts'
import type { LeaseBroker, ShellAddress } from './leases.ts'
import { WsmanRunspacePool } from './pool/runspace-pool.ts'
import type { Command } from './protocol/command.ts'
import { WsmanShell, type WsmanShellOptions } from './wsman/wsman-shell.ts'

export type WsmanTransportOptions = {
  readonly kind: 'wsman'
  /** `https://host/PowerShell/`; plain http on loopback only. */
  readonly url: string
  readonly configurationName?: 'Microsoft.Exchange'
  readonly user: string
  readonly password: string
  /** PEM certificates to trust instead of the system's. */
  readonly ca?: string
  /** When the server deletes a shell that nobody uses. At least 60 s. */
  readonly idleTimeoutMs: number
  /** How long the server holds a request that has nothing to answer yet. Default 20 s. */
  readonly operationTimeoutMs?: number
}

type Say = (fields: Record<string, unknown>, message: string) => void
/** The part of a pino logger used here. */
export type EngineLog = { readonly debug: Say; readonly info: Say; readonly warn: Say; readonly error: Say }

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
  /** Of one cmdlet's whole output. Default 1 GiB. */
  readonly resultBytesMax: number
}

export type RemotingEngineOptions = {
  readonly transport: WsmanTransportOptions
  /** Run on every new runspace before its first command, such as Set-ADServerSettings. */
  readonly onOpenRunspace?: readonly Command[]
  readonly leases?: LeaseBroker
  /** No pool of this engine opens more shells, whatever `open` asks for. */
  readonly shellsMax: number
  readonly limits?: Partial<PoolLimits>
  readonly log?: EngineLog
  readonly clock?: Clock
}

const DEFAULT_LIMITS: PoolLimits = {
  openMs: 60_000,
  stopMs: 10_000,
  closeMs: 5_000,
  queueMs: 600_000,
  ageMs: 1_800_000,
  growBackMs: 15_000,
  leaseRenewMs: 20_000,
  responseBytesMax: 8 * 1024 * 1024,
  resultBytesMax: 1024 * 1024 * 1024,
}
const OPERATION_TIMEOUT_MS = 20_000
const CONNECT_TIMEOUT_MS = 10_000
/** MinimumIdleTimeout of PowerShell's WSMan plugin. */
const IDLE_TIMEOUT_MS_MIN = 60_000
const IDLE_SHARE = 0.6
// A Receive, the Signal of the pipeline before it, the next Receive, and the Signal that stops it.
const SOCKETS_PER_SHELL = 4
/** Exchange routes by this version; it means Windows PowerShell 5.1. */
const PS_VERSION = '5.1.17763.1'
const quiet: EngineLog = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }

/**
 * An engine that speaks MS-PSRP over WSMan with Basic authentication. Opens nothing until `open`. Throws
 * PermanentError('wsman-url-refused' | 'wsman-settings-refused') for settings that cannot work or would not be safe.
 */
export function createRemotingEngine(o: RemotingEngineOptions): PowerShellEngine {
  const shellOptions = readShellOptions(o)
  const limits = { ...DEFAULT_LIMITS, ...o.limits }
  const pools = new Set<WsmanRunspacePool>()
  return {
    async open({ runspaces, signal }): Promise<RunspacePool> {
      if (!Number.isInteger(runspaces) || runspaces < 1) throw settingsRefused('runspaces must be at least 1')
      const pool = new WsmanRunspacePool({
        ...limits,
        createShell: () => new WsmanShell(shellOptions),
        runspaces: Math.min(runspaces, o.shellsMax),
        idleMs: o.transport.idleTimeoutMs * IDLE_SHARE,
        leases: o.leases,
        onOpenRunspace: o.onOpenRunspace ?? [],
        clock: o.clock ?? systemClock,
        log: o.log ?? quiet,
      })
      // Before it is open: disposing the engine meanwhile must not leave a shell behind.
      pools.add(pool)
      try {
        await pool.open(signal)
      } catch (error) {
        pools.delete(pool)
        throw error
      }
      return pool
    },
    async [Symbol.asyncDispose](): Promise<void> {
      await Promise.all([...pools].map((pool) => pool[Symbol.asyncDispose]()))
      pools.clear()
    },
  }
}

/**
 * Deletes a shell that another process left behind. Resolves too when the server does not know it any more. Throws what
 * the transport throws.
 */
export async function deleteOrphanShell(transport: WsmanTransportOptions, shell: ShellAddress): Promise<void> {
  const orphan = new WsmanShell(readShellOptions({ transport, shellsMax: 1 }), shell)
  try {
    await orphan.delete()
  } finally {
    await orphan.destroy()
  }
}

function readShellOptions(o: RemotingEngineOptions): WsmanShellOptions {
  const { transport } = o
  const operationTimeoutMs = transport.operationTimeoutMs ?? OPERATION_TIMEOUT_MS
  if (!Number.isInteger(o.shellsMax) || o.shellsMax < 1) throw settingsRefused('shellsMax must be at least 1')
  if (transport.idleTimeoutMs < IDLE_TIMEOUT_MS_MIN)
    throw settingsRefused(`idleTimeoutMs must be at least ${IDLE_TIMEOUT_MS_MIN}`)
  if (operationTimeoutMs < 500 || operationTimeoutMs > transport.idleTimeoutMs) {
    throw settingsRefused('operationTimeoutMs must be between 500 and idleTimeoutMs')
  }
  // RFC 7617: a colon ends the user name.
  if (transport.user === '' || transport.user.includes(':')) throw settingsRefused('the user name is empty or holds a colon')
  const credentials = Buffer.from(`${transport.user}:${transport.password}`).toString('base64')
  return {
    http: {
      url: readUrl(transport.url),
      authorization: `Basic ${credentials}`,
      ca: transport.ca,
      connectTimeoutMs: CONNECT_TIMEOUT_MS,
      responseBytesMax: o.limits?.responseBytesMax ?? DEFAULT_LIMITS.responseBytesMax,
      socketsMax: SOCKETS_PER_SHELL,
    },
    resourceUri: `http://schemas.microsoft.com/powershell/${transport.configurationName ?? 'Microsoft.Exchange'}`,
    idleTimeoutMs: transport.idleTimeoutMs,
    operationTimeoutMs,
  }
}

/** Basic sends the password readable, so plain http is for this machine only. */
function readUrl(text: string): URL {
  const url = URL.parse(text)
  if (url === null) throw urlRefused('it is not a URL')
  const isLoopback = /^(127(\.\d{1,3}){3}|localhost|\[::1\])$/.test(url.hostname)
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isLoopback))
    throw urlRefused('only https, or http on loopback')
  if (url.username !== '' || url.password !== '') throw urlRefused('user and password do not belong into it')
  url.hash = ''
  url.searchParams.set('PSVersion', PS_VERSION)
  return url
}

function urlRefused(why: string): PermanentError {
  return new PermanentError('wsman-url-refused', `The Exchange URL cannot be used: ${why}`)
}

function settingsRefused(why: string): PermanentError {
  return new PermanentError('wsman-settings-refused', `Remoting settings cannot be used: ${why}`)
}
