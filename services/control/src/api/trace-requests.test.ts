import { type SpanRecord, type TraceContext, Tracer } from '@gatehouse/tracing'
import fastify from 'fastify'
import { describe, expect, it } from 'vitest'
import { traceRequests } from './trace-requests.ts'

const TRACE = 'a'.repeat(32)

function createTracedApp() {
  const spans: SpanRecord[] = []
  const seen: (TraceContext | undefined)[] = []
  const tracer = new Tracer({ record: (span) => spans.push(span) })
  const app = fastify()
  traceRequests(app, tracer)
  app.post('/things/:id', async () => {
    await Promise.resolve()
    seen.push(tracer.current())
    return {}
  })
  app.get('/broken', () => {
    throw new Error('anna@contoso.com')
  })
  return { app, spans, seen, tracer }
}

describe('a request to the API', () => {
  it('is handled in a span of the trace that it brings', async () => {
    const { app, spans, seen, tracer } = createTracedApp()

    const headers = { traceparent: `00-${TRACE}-${'b'.repeat(16)}-01`, tracestate: 'rojo=1' }
    await app.inject({ method: 'POST', url: '/things/anna', headers, payload: { a: 1 } })

    expect(seen).toMatchObject([{ traceId: TRACE, traceState: 'rojo=1' }])
    expect(spans).toMatchObject([
      {
        name: 'POST /things/:id',
        kind: 'server',
        parentSpanId: 'b'.repeat(16),
        error: undefined,
        attributes: { 'http.request.method': 'POST', 'http.route': '/things/:id', 'http.response.status_code': 200 },
      },
    ])
    expect(JSON.stringify(spans)).not.toContain('anna')
    expect(tracer.current()).toBeUndefined()
  })

  it.each([undefined, 'nonsense', `00-${'0'.repeat(32)}-${'b'.repeat(16)}-01`])(
    'begins a trace when it brings none, and when it brings %s',
    async (traceparent) => {
      const { app, spans, seen } = createTracedApp()

      const answer = await app.inject({
        method: 'POST',
        url: '/things/1',
        ...(traceparent !== undefined && { headers: { traceparent } }),
      })

      expect(answer.statusCode).toBe(200)
      expect(seen[0]?.traceId).toMatch(/^[0-9a-f]{32}$/)
      expect(spans[0]?.parentSpanId).toBeUndefined()
    },
  )

  it('has failed when the server is to blame, and not when the client is', async () => {
    const { app, spans } = createTracedApp()

    await app.inject({ method: 'GET', url: '/broken' })
    await app.inject({ method: 'GET', url: '/nowhere/anna' })

    expect(spans).toMatchObject([
      { name: 'GET /broken', error: '500' },
      { name: 'GET', error: undefined, attributes: { 'http.response.status_code': 404 } },
    ])
    expect(JSON.stringify(spans)).not.toContain('anna')
  })
})
