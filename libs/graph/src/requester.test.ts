import { type SpanRecord, Tracer } from '@gatehouse/tracing'
import { expect, it } from 'vitest'
import { createRequester } from './requester.ts'
import { createThrottleGate } from './throttle-gate.ts'
import type { TransportRequest } from './transport.ts'

const USER = '0f1c9a52-7d0e-4a86-9c55-0d4a5b6f7e01'

it('sends each request in a span of its own, whose id Graph is told and whose name tells of nobody', async () => {
  const spans: SpanRecord[] = []
  const sent: TransportRequest[] = []
  const statuses = [401, 200, 503]
  const request = createRequester({
    endpoint: new URL('https://graph.test'),
    transport: {
      send: (one) => {
        sent.push(one)
        return Promise.resolve({ status: statuses.shift() ?? 500, body: {}, retryAfterMs: undefined, requestId: undefined })
      },
      close: () => Promise.resolve(),
    },
    tokens: { read: () => Promise.resolve('t'), replace: () => Promise.resolve('t') },
    gate: createThrottleGate(),
    counts: { graph: 0, token: 0, throttled: 0 },
    log: { debug() {}, info() {}, warn() {}, error() {} },
    tracer: new Tracer({ record: (span) => spans.push(span) }),
  })
  const call = { permission: 'P', workload: 'intune', path: `/v1.0/users/${USER}/managedDevices?$skiptoken=anna` } as const
  const { signal } = new AbortController()

  await request(call, signal)
  await request(call, signal).catch(() => {})

  expect(spans.map(({ name, error }) => [name, error])).toEqual([
    ['GET /v1.0/users/{id}/managedDevices', '401'],
    ['GET /v1.0/users/{id}/managedDevices', undefined],
    ['GET /v1.0/users/{id}/managedDevices', '503'],
  ])
  expect(sent.map(({ headers }) => headers['traceparent'])).toEqual(
    spans.map(({ context }) => `00-${context.traceId}-${context.spanId}-01`),
  )
  expect(JSON.stringify(spans)).not.toMatch(new RegExp(`anna|${USER}`))
})
