import { PermanentError } from '@gatehouse/messages'
import { Registry } from '@gatehouse/worker'
import { describe, expect, it } from 'vitest'
import { createGraphMetrics } from './create-graph-metrics.ts'

const requestCounts = () => ({ graph: 40, token: 2, throttled: 1 })
const nowMs = () => Date.parse('2027-05-01T00:00:00Z')

describe('the metrics of Graph', () => {
  it('count requests, and failures by their code', async () => {
    const registry = new Registry()
    const noteFailure = createGraphMetrics(registry, { requestCounts, clientSecretExpires: undefined, nowMs })

    noteFailure(new PermanentError('graph-credentials-invalid', 'Expired'))
    noteFailure(new Error('Something else'))

    const text = await registry.metrics()
    expect(text).toContain('gatehouse_graph_requests_total 40')
    expect(text).toContain('gatehouse_graph_throttled_total 1')
    expect(text).toContain('gatehouse_graph_failures_total{code="graph-credentials-invalid"} 1')
    expect(text).toContain('gatehouse_graph_failures_total{code="other"} 1')
    expect(text).not.toContain('client_secret')
  })

  it('tell how long the client secret is still good, if the settings say when it expires', async () => {
    const registry = new Registry()
    createGraphMetrics(registry, { requestCounts, clientSecretExpires: '2027-05-31', nowMs })

    expect(await registry.metrics()).toContain('gatehouse_graph_client_secret_expires_seconds 2592000')
  })
})
