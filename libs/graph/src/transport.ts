import { connectThroughProxy, type ProxyOptions } from '@gatehouse/http-proxy'
import { abortReason } from '@gatehouse/messages'
import { Agent, buildConnector } from 'undici'
import { classifyConnection } from './classify.ts'
import { parseRetryAfter } from './parse-retry-after.ts'

export type TransportRequest = {
  readonly origin: string
  /** Path and query exactly as they go out: links of Graph's are opaque. */
  readonly path: string
  readonly method: 'GET' | 'POST'
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string | undefined
  readonly service: 'Graph' | 'Entra sign-in'
}

export type TransportAnswer = {
  readonly status: number
  /** Undefined when the body is not JSON. */
  readonly body: unknown
  readonly retryAfterMs: number | undefined
  readonly requestId: string | undefined
}

export type TransportOptions = {
  readonly ca?: string | undefined
  readonly proxy?: ProxyOptions | undefined
  /** For a connection, and for the tunnel before it. */
  readonly connectMs?: number | undefined
  readonly userAgent: string
}

export type Transport = {
  send(request: TransportRequest, signal: AbortSignal): Promise<TransportAnswer>
  close(): Promise<void>
}

const ANSWER_BYTES_MAX = 64 * 1024 * 1024
const REQUEST_MS_MAX = 120_000
const CONNECT_MS_MAX = 10_000

/** One pool of connections for sign-in and Graph. Redirects are not followed: they would carry the token elsewhere. */
export function createTransport(options: TransportOptions): Transport {
  const agent = new Agent({
    connections: 8,
    pipelining: 1,
    allowH2: false,
    connect: createConnector(options),
    headersTimeout: 60_000,
    bodyTimeout: 60_000,
    keepAliveTimeout: 30_000,
    maxResponseSize: ANSWER_BYTES_MAX,
  })

  async function send(request: TransportRequest, signal: AbortSignal): Promise<TransportAnswer> {
    const limited = AbortSignal.any([signal, AbortSignal.timeout(REQUEST_MS_MAX)])
    const { origin, path, method, body } = request
    const headers = { 'user-agent': options.userAgent, accept: 'application/json', ...request.headers }
    try {
      const answer = await agent.request({ origin, path, method, headers, body: body ?? null, signal: limited })
      const text = await answer.body.text()
      const requestId = answer.headers['request-id']
      return {
        status: answer.statusCode,
        body: parseJson(text),
        retryAfterMs: parseRetryAfter(answer.headers['retry-after']),
        requestId: typeof requestId === 'string' ? requestId.slice(0, 100) : undefined,
      }
    } catch (error) {
      if (signal.aborted) throw abortReason(signal)
      throw classifyConnection(error, request.service)
    }
  }

  return { send, close: () => agent.destroy() }
}

function createConnector({ ca, proxy, connectMs = CONNECT_MS_MAX }: TransportOptions): buildConnector.connector {
  const connect = buildConnector({ timeout: connectMs, allowH2: false, ...(ca !== undefined && { ca }) })
  return proxy === undefined ? connect : connectThroughProxy(proxy, { timeoutMs: connectMs, connect })
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
