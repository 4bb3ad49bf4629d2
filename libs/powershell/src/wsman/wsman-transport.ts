import { findProxyProblem, type ProxyOptions } from '@gatehouse/http-proxy'
import { type Clock, systemClock } from '../clock.ts'
import { type EngineLog, quietLog } from '../engine-log.ts'
import type { ShellAddress } from '../leases.ts'
import type { RemotingTransport } from '../pool/remote-shell.ts'
import type { Trace } from '../protocol/trace.ts'
import { readFingerprint } from './certificate.ts'
import { readEndpointUrl } from './endpoint-url.ts'
import type { HttpAuthentication } from './http-connection.ts'
import type { HttpTrace } from './http-trace.ts'
import { type CreateSecurityContext, createKerberosContexts } from './security-context.ts'
import { settingsRefused } from './settings-refused.ts'
import { WsmanShell, type WsmanShellOptions } from './wsman-shell.ts'

export type WsmanTransportOptions = {
  readonly kind: 'wsman'
  /** `https://host/PowerShell/`; plain http on loopback only. */
  readonly url: string
  readonly configurationName?: 'Microsoft.Exchange'
  /**
   * `negotiate` is Kerberos (SPNEGO) over https, by the optional package `kerberos` 7. Outside Windows it takes no password:
   * the account comes from a credential cache or a client keytab. Default `basic`.
   */
  readonly authentication?: 'basic' | 'negotiate'
  /** With `negotiate`: undefined or empty is whoever the credential cache or the Windows session says. */
  readonly user?: string
  readonly password?: string
  /** PEM certificates to trust instead of the system's. */
  readonly ca?: string
  /**
   * SHA-256 fingerprint in hex, with or without colons, of the one certificate that the server may have. Alone, its issuer,
   * name and dates do not matter; with `ca` both must hold.
   */
  readonly certificateSha256?: string
  /** An HTTP proxy, for https only. */
  readonly proxy?: ProxyOptions
  /** When the server deletes a shell that nobody uses. At least 60 s. */
  readonly idleTimeoutMs: number
  /** How long the server holds a request that has nothing to answer yet. Default 20 s. */
  readonly operationTimeoutMs?: number
}

export type WsmanLimits = {
  /** Of one answer over HTTP. Default 8 MiB. */
  readonly responseBytesMax?: number | undefined
  /** How much longer than the operation timeout the head of an answer may take. Default 10 s. */
  readonly answerMs?: number | undefined
  /** How long the body of an answer may take after its head. Default 60 s. */
  readonly bodyMs?: number | undefined
  /** How long a socket, a tunnel or a Kerberos token may take. Default 10 s. */
  readonly connectMs?: number | undefined
}

/** What a transport is given, beside its settings. */
export type WsmanDependencies = {
  readonly log?: EngineLog | undefined
  readonly clock?: Clock | undefined
  /** Default: the optional package `kerberos`. */
  readonly createSecurityContext?: CreateSecurityContext | undefined
  readonly trace?: Trace | undefined
  readonly traceHttp?: HttpTrace | undefined
}

const RESPONSE_BYTES_MAX = 8 * 1024 * 1024
const OPERATION_TIMEOUT_MS = 20_000
const ANSWER_MS = 10_000
const BODY_MS = 60_000
const CONNECT_MS = 10_000
/** MinimumIdleTimeout of PowerShell's WSMan plugin. */
const IDLE_TIMEOUT_MS_MIN = 60_000
const IDLE_SHARE = 0.6
// A Receive, the Signal of the pipeline before it, the next Receive, and the Signal that stops it.
const SOCKETS_PER_SHELL = 4

/**
 * Shells over WSMan ([MS-WSMV]), each with sockets of its own. Throws PermanentError('wsman-url-refused' |
 * 'wsman-settings-refused') for settings that cannot work or would not be safe.
 */
export function createWsmanTransport(
  transport: WsmanTransportOptions,
  o: WsmanLimits & WsmanDependencies = {},
): RemotingTransport {
  const shellOptions = readShellOptions(transport, o)
  return { createShell: () => new WsmanShell(shellOptions), idleMs: transport.idleTimeoutMs * IDLE_SHARE }
}

/**
 * Deletes a shell that another process left behind. Resolves too when the server does not know it any more. Throws what
 * the transport throws.
 */
export async function deleteOrphanShell(
  transport: WsmanTransportOptions,
  shell: ShellAddress,
  o: WsmanLimits & WsmanDependencies = {},
): Promise<void> {
  const orphan = new WsmanShell(readShellOptions(transport, o), shell)
  try {
    await orphan.delete()
  } finally {
    await orphan.destroy()
  }
}

function readShellOptions(transport: WsmanTransportOptions, o: WsmanLimits & WsmanDependencies): WsmanShellOptions {
  const operationTimeoutMs = transport.operationTimeoutMs ?? OPERATION_TIMEOUT_MS
  if (transport.idleTimeoutMs < IDLE_TIMEOUT_MS_MIN)
    throw settingsRefused(`idleTimeoutMs must be at least ${IDLE_TIMEOUT_MS_MIN}`)
  if (operationTimeoutMs < 500 || operationTimeoutMs > transport.idleTimeoutMs) {
    throw settingsRefused('operationTimeoutMs must be between 500 and idleTimeoutMs')
  }
  const url = readEndpointUrl(transport.url)
  const { certificateSha256, ca, proxy } = transport
  if (proxy !== undefined) checkProxy(proxy, url)
  return {
    http: {
      url,
      authentication: readAuthentication(transport, url, o.createSecurityContext),
      certificate: { ca, sha256: certificateSha256 === undefined ? undefined : readFingerprint(certificateSha256) },
      proxy,
      connectTimeoutMs: o.connectMs ?? CONNECT_MS,
      bodyMs: o.bodyMs ?? BODY_MS,
      responseBytesMax: o.responseBytesMax ?? RESPONSE_BYTES_MAX,
      socketsMax: SOCKETS_PER_SHELL,
      clock: o.clock ?? systemClock,
    },
    resourceUri: `http://schemas.microsoft.com/powershell/${transport.configurationName ?? 'Microsoft.Exchange'}`,
    idleTimeoutMs: transport.idleTimeoutMs,
    operationTimeoutMs,
    answerMs: o.answerMs ?? ANSWER_MS,
    log: o.log ?? quietLog,
    trace: o.trace,
    traceHttp: o.traceHttp,
  }
}

function readAuthentication(
  { authentication, user, password }: WsmanTransportOptions,
  url: URL,
  createContext: CreateSecurityContext | undefined,
): HttpAuthentication {
  if (authentication === 'negotiate') {
    // On plain http WinRM wants every body encrypted by the context, which the package kerberos cannot do.
    if (url.protocol !== 'https:') throw settingsRefused('negotiate needs https')
    return { scheme: 'negotiate', user, password, createContext: createContext ?? createKerberosContexts() }
  }
  if (user === undefined || password === undefined) throw settingsRefused('Basic needs a user name and a password')
  // RFC 7617: a colon ends the user name.
  if (user === '' || user.includes(':')) throw settingsRefused('the user name is empty or holds a colon')
  return { scheme: 'basic', authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}` }
}

function checkProxy(proxy: ProxyOptions, target: URL): void {
  const problem = findProxyProblem(proxy) ?? (target.protocol === 'https:' ? undefined : 'a proxy is for https only')
  if (problem !== undefined) throw settingsRefused(problem)
}
