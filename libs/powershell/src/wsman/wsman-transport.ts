import { PermanentError } from '@gatehouse/messages'
import type { ShellAddress } from '../leases.ts'
import type { RemotingTransport } from '../pool/remote-shell.ts'
import type { Trace } from '../protocol/trace.ts'
import { WsmanShell, type WsmanShellOptions } from './wsman-shell.ts'

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

export type WsmanLimits = {
  /** Of one answer over HTTP. Default 8 MiB. */
  readonly responseBytesMax?: number | undefined
}

const RESPONSE_BYTES_MAX = 8 * 1024 * 1024
const OPERATION_TIMEOUT_MS = 20_000
const CONNECT_TIMEOUT_MS = 10_000
/** MinimumIdleTimeout of PowerShell's WSMan plugin. */
const IDLE_TIMEOUT_MS_MIN = 60_000
const IDLE_SHARE = 0.6
// A Receive, the Signal of the pipeline before it, the next Receive, and the Signal that stops it.
const SOCKETS_PER_SHELL = 4
/** Exchange routes by this version; it means Windows PowerShell 5.1. */
const PS_VERSION = '5.1.17763.1'

/**
 * Shells over WSMan, each with sockets of its own. Throws PermanentError('wsman-url-refused' | 'wsman-settings-refused') for
 * settings that cannot work or would not be safe.
 */
export function createWsmanTransport(
  transport: WsmanTransportOptions,
  o: WsmanLimits & { trace?: Trace | undefined } = {},
): RemotingTransport {
  const shellOptions = readShellOptions(transport, o)
  return { createShell: () => new WsmanShell(shellOptions), idleMs: transport.idleTimeoutMs * IDLE_SHARE }
}

/**
 * Deletes a shell that another process left behind. Resolves too when the server does not know it any more. Throws what
 * the transport throws.
 */
export async function deleteOrphanShell(transport: WsmanTransportOptions, shell: ShellAddress): Promise<void> {
  const orphan = new WsmanShell(readShellOptions(transport, {}), shell)
  try {
    await orphan.delete()
  } finally {
    await orphan.destroy()
  }
}

function readShellOptions(transport: WsmanTransportOptions, o: WsmanLimits & { trace?: Trace | undefined }): WsmanShellOptions {
  const operationTimeoutMs = transport.operationTimeoutMs ?? OPERATION_TIMEOUT_MS
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
      responseBytesMax: o.responseBytesMax ?? RESPONSE_BYTES_MAX,
      socketsMax: SOCKETS_PER_SHELL,
    },
    resourceUri: `http://schemas.microsoft.com/powershell/${transport.configurationName ?? 'Microsoft.Exchange'}`,
    idleTimeoutMs: transport.idleTimeoutMs,
    operationTimeoutMs,
    trace: o.trace,
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
