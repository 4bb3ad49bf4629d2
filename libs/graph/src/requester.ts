import { randomUUID } from 'node:crypto'
import { type Span, type Tracer, traceHeadersOf } from '@gatehouse/tracing'
import { type CallSubject, classifyRefusal, unreadableAnswer } from './classify.ts'
import type { GraphLog } from './graph.ts'
import type { ThrottleGate } from './throttle-gate.ts'
import type { Tokens } from './tokens.ts'
import type { Transport, TransportAnswer } from './transport.ts'

/** One request to Graph. */
export type Call = CallSubject & {
  /** From `/v1.0/` on. */
  readonly path: string
  /** Graph throttles a whole workload at once. */
  readonly workload: 'intune' | 'entra'
  readonly headers?: Readonly<Record<string, string>>
  /** Makes it a POST. */
  readonly body?: unknown
}

export type GraphCounts = { graph: number; token: number; throttled: number }

export type Requester = (call: Call, signal: AbortSignal) => Promise<unknown>

/** Asks Graph with a token, and answers the JSON of a 200. Throws what classify.ts says. */
export function createRequester(o: {
  endpoint: URL
  transport: Transport
  tokens: Tokens
  gate: ThrottleGate
  counts: GraphCounts
  log: GraphLog
  tracer: Tracer
}): Requester {
  function send(call: Call, token: string, signal: AbortSignal): Promise<TransportAnswer> {
    const method = call.body === undefined ? 'GET' : 'POST'
    const template = templateOf(call.path)
    const attributes = () => ({
      'http.request.method': method,
      'url.template': template,
      'server.address': o.endpoint.hostname,
      'gatehouse.graph.workload': call.workload,
    })
    return o.tracer.trace(`${method} ${template}`, { kind: 'client', attributes }, async (span) => {
      const answer = await sendIn(span, call, token, signal)
      const { status } = answer
      const error = status >= 400 ? String(status) : undefined
      span.end({ error, attributes: { 'http.response.status_code': status } })
      return answer
    })
  }

  async function sendIn(span: Span, call: Call, token: string, signal: AbortSignal): Promise<TransportAnswer> {
    o.counts.graph += 1
    const hasBody = call.body !== undefined
    const headers = {
      authorization: `Bearer ${token}`,
      'client-request-id': randomUUID(),
      traceparent: traceHeadersOf(span.context).traceparent,
      ...(hasBody && { 'content-type': 'application/json' }),
      ...call.headers,
    }
    const body = hasBody ? JSON.stringify(call.body) : undefined
    const method = hasBody ? 'POST' : 'GET'
    return await o.transport.send(
      { origin: o.endpoint.origin, path: call.path, method, headers, body, service: 'Graph' },
      signal,
    )
  }

  return async (call, signal) => {
    await o.gate.pass(call.workload, signal)
    const token = await o.tokens.read(signal)
    let answer = await send(call, token, signal)
    if (answer.status === 401) answer = await send(call, await o.tokens.replace(token, signal), signal)
    if (answer.status === 200) {
      if (answer.body === undefined) throw unreadableAnswer(new Error('It is not JSON'))
      return answer.body
    }
    const error = classifyRefusal(answer, call)
    if (error.code === 'graph-throttled') {
      o.counts.throttled += 1
      if (answer.retryAfterMs !== undefined) o.gate.close(call.workload, answer.retryAfterMs)
    }
    o.log.debug({ code: error.code, detail: error.detail, workload: call.workload }, 'Graph refused a request')
    throw error
  }
}

/** A path without what names a user, a device or a group. */
function templateOf(path: string): string {
  const [bare = ''] = path.split('?')
  return bare.replace(/[^/]+/g, (part) => (/^(v1\.0|\$?[A-Za-z.]{1,40})$/.test(part) ? part : '{id}'))
}
