import type { Socket } from 'node:net'
import { PermanentError, RetryableError } from '@gatehouse/messages'
import { Client } from 'undici'

/** An HTTP proxy that opens tunnels (RFC 9110 §9.3.6). */
export type ProxyOptions = {
  /** `http://host:port` or `https://host:port`. */
  readonly url: string
  /** Sent as Basic. */
  readonly user?: string | undefined
  /** A function is asked for it at each tunnel. */
  readonly password?: string | (() => string) | undefined
}

/**
 * A socket that leads through the proxy to `target` (host:port), nothing sent on it yet. Throws
 * PermanentError('proxy-refused') when the proxy wants other credentials or does not want the target,
 * RetryableError('proxy-unreachable') when it does not answer within `timeoutMs`, and
 * RetryableError('proxy-target-unreachable') when it answers that it cannot reach the target.
 */
export async function openTunnel(proxy: ProxyOptions, target: string, timeoutMs: number): Promise<Socket> {
  const { origin } = new URL(proxy.url)
  const client = new Client(origin, { connect: { timeout: timeoutMs }, allowH2: false })
  try {
    const { statusCode, socket } = await client.connect({
      path: target,
      headers: { host: target, ...credentialsOf(proxy) },
      signal: AbortSignal.timeout(timeoutMs),
    })
    // From now on the socket is ours: an error before somebody else listens must not end the process.
    socket.on('error', () => {})
    if (statusCode === 200) return socket as Socket
    socket.destroy()
    throw refusal(origin, target, statusCode)
  } catch (error) {
    if (error instanceof PermanentError || error instanceof RetryableError) throw error
    throw unreachable(origin, error)
  } finally {
    // The tunnel's socket has left the client by now.
    client.destroy().catch(() => {})
  }
}

function credentialsOf({ user, password }: ProxyOptions): Record<string, string> {
  if (user === undefined) return {}
  const secret = (typeof password === 'function' ? password() : password) ?? ''
  return { 'proxy-authorization': `Basic ${Buffer.from(`${user}:${secret}`).toString('base64')}` }
}

function refusal(origin: string, target: string, status: number): PermanentError | RetryableError {
  const detail = { sent: false, proxyStatus: status }
  if (status === 407) {
    return new PermanentError('proxy-refused', `The proxy ${origin} refused user name and password (407)`, { detail })
  }
  if (status >= 500) {
    const message = `The proxy ${origin} could not reach ${target} (${status})`
    return new RetryableError('proxy-target-unreachable', message, { detail })
  }
  return new PermanentError('proxy-refused', `The proxy ${origin} refused a tunnel to ${target} (${status})`, { detail })
}

function unreachable(origin: string, cause: unknown): RetryableError {
  const code = cause instanceof Error && 'code' in cause && typeof cause.code === 'string' ? cause.code : ''
  const why = code || (cause instanceof Error ? cause.message : 'unknown')
  return new RetryableError('proxy-unreachable', `No connection to the proxy ${origin}: ${why}`, {
    cause,
    detail: { sent: false, errorCode: code },
  })
}
