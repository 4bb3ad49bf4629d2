import type { ProxyOptions } from '@gatehouse/http-proxy'
import { PermanentError } from '@gatehouse/messages'
import type { EngineLog, LeaseBroker, PowerShellEngine, RunspacePool } from '@gatehouse/powershell'
import { errorOfRecord, toExchangeError } from './classify.ts'
import type { CmdletTrace } from './cmdlet-runner.ts'
import { namesToAskFor, type Preflight, planPreflight } from './cmdlets.ts'
import { createEngine } from './create-engine.ts'
import { createExchange } from './create-exchange.ts'
import type { Exchange, ExchangePurpose } from './exchange.ts'
import { FailoverPool, type OpenedPool } from './failover-pool.ts'
import { readText } from './ps-row.ts'

export type ExchangeOptions = {
  /** `https://<server>/PowerShell/`; plain http on loopback only. */
  url: string
  user: string
  password: string
  /** PEM certificates to trust instead of the system's. */
  ca?: string | undefined
  /** SHA-256 fingerprint of the one certificate that the server may have. */
  certificateSha256?: string | undefined
  /** `negotiate` is Kerberos. Default `basic`. */
  authentication?: 'basic' | 'negotiate' | undefined
  proxy?: ProxyOptions | undefined
  /** `host`: a PowerShell of this machine speaks to Exchange. Default `remoting`. */
  engine?: 'remoting' | 'host' | undefined
  /** For `engine: 'host'`: what is started, and modules whose cmdlets stand in for a connection. */
  powerShell?: { executable: string; modules: readonly string[]; environment: Readonly<Record<string, string>> } | undefined
  purpose: ExchangePurpose
  /** The most shells, of one runspace each; 1 is what `enableParallelCommandSupport: false` means. */
  shells: number
  idleTimeoutMs: number
  cmdletTimeoutMs: number
  /** The account's budget of shells, shared by all workers. Without it only `shells` bounds them. */
  leases?: LeaseBroker
  isCasFailoverEnabled: boolean
  /** Full names of the client access servers we know of; asked only when a pool is opened. */
  knownServers?: () => Promise<readonly string[]>
  log: EngineLog
  /** Where each cmdlet has a span of its own, and whose Exchange it is. */
  trace?: CmdletTrace
  now?: () => number
  /** Another engine than the remoting one, for tests. */
  createEngine?: (url: string) => PowerShellEngine
}

const DEAD_FOR_MS = 30_000
/**
 * Opens the runspace pool of one Exchange organisation and checks, with one Get-Command, that the account may run what the
 * purpose requires. Throws PermanentError(`cmdlet-not-permitted`), whose message names every missing cmdlet, and the other
 * codes of this package's README.
 */
export async function connectExchange(options: ExchangeOptions, signal: AbortSignal): Promise<Exchange> {
  const engineAt = options.createEngine ?? ((url: string) => createEngine(url, options))
  const pool = new FailoverPool<Preflight>({
    primaryUrl: options.url,
    otherUrls: async () =>
      options.isCasFailoverEnabled && options.knownServers ? toUrls(options.url, await options.knownServers()) : [],
    open: (url, opening) => openPool(engineAt(url), options, opening),
    deadForMs: DEAD_FOR_MS,
    now: options.now ?? Date.now,
    onChange: ({ from, to, reason }) => options.log.info({ fromUrl: from, url: to, reason }, 'Exchange endpoint changed'),
  })
  try {
    await pool.connect(signal)
  } catch (error) {
    await pool[Symbol.asyncDispose]()
    throw error
  }
  const { cmdletTimeoutMs, trace } = options
  return createExchange({ pool, cmdletTimeoutMs, trace, now: options.now ?? Date.now })
}

/** The same endpoint on other servers: the path and the port stay. */
function toUrls(primary: string, servers: readonly string[]): string[] {
  return servers.map((server) => {
    const url = new URL(primary)
    url.hostname = server
    return url.href
  })
}

async function openPool(
  engine: PowerShellEngine,
  options: ExchangeOptions,
  signal: AbortSignal,
): Promise<OpenedPool<Preflight>> {
  try {
    const pool = await engine.open({ runspaces: options.shells, signal })
    // Reading wants its shells at once; writing is told when much is about to come.
    if (options.purpose === 'read') pool.prepare()
    const info = await runPreflight(pool, options, signal)
    return { pool: withEngine(pool, engine), info }
  } catch (thrown) {
    await engine[Symbol.asyncDispose]()
    throw toExchangeError(thrown, 'Get-Command')
  }
}

async function runPreflight(pool: RunspacePool, options: ExchangeOptions, signal: AbortSignal): Promise<Preflight> {
  const result = await pool.invoke(
    { name: 'Get-Command', parameters: { Name: namesToAskFor() } },
    { signal, timeoutMs: options.cmdletTimeoutMs },
  )
  // A name that is hidden from the account comes back as an error of its own; only a failed Get-Command says nothing.
  const last = result.errors.at(-1)
  if (result.failed && last !== undefined) throw errorOfRecord(last, 'Get-Command')
  const preflight = planPreflight(
    result.output.map((command) => readText(command, 'Name')),
    options.purpose,
  )
  if (preflight.missingRequired.length === 0) return preflight
  throw new PermanentError('cmdlet-not-permitted', `${options.user} may not run ${preflight.missingRequired.join(', ')}`, {
    detail: { scope: 'organization', mayHaveRun: false, cmdlets: preflight.missingRequired.join(',') },
  })
}

/** One engine per endpoint: letting go of the pool lets go of its engine. */
function withEngine(pool: RunspacePool, engine: PowerShellEngine): RunspacePool {
  return {
    invoke: (command, options) => pool.invoke(command, options),
    prepare: () => pool.prepare(),
    stats: () => pool.stats(),
    get state() {
      return pool.state
    },
    async [Symbol.asyncDispose]() {
      await pool[Symbol.asyncDispose]()
      await engine[Symbol.asyncDispose]()
    },
  }
}
