import { PermanentError, RetryableError } from '@gatehouse/messages'
import { Registry } from 'prom-client'
import { describe, expect, it } from 'vitest'
import { createExchangeFailureCounter } from './create-exchange-failure-counter.ts'
import { createExchangeMetrics, type ExchangeReading } from './create-exchange-metrics.ts'

const stats = {
  shells: 4,
  busy: 3,
  queued: 7,
  shellsAllowed: 6,
  shellsOpened: 9,
  shellsLost: 2,
  openingsFailed: 3,
  openingsRefused: 1,
  invoked: 100,
  pausedMs: 1_500,
}

describe('the metrics of the connections to Exchange', () => {
  it('are there before there is a connection', async () => {
    const registry = new Registry()
    createExchangeMetrics(registry, [
      { organization: 'contoso', primaryUrl: 'https://one/', runspacesMax: 12, read: () => undefined },
    ])

    const text = await registry.metrics()

    expect(text).toContain('gatehouse_runspaces_allowed{organization="contoso"} 12')
    expect(text).toContain('gatehouse_shells_lost_total{organization="contoso"} 0')
    expect(text).toContain('gatehouse_exchange_failover_active{organization="contoso"} 0')
  })

  it('tell how the pool is, and begin anew with a new connection', async () => {
    const registry = new Registry()
    let reading: ExchangeReading = { url: 'https://two/', stats }
    createExchangeMetrics(registry, [
      { organization: 'contoso', primaryUrl: 'https://one/', runspacesMax: 12, read: () => reading },
    ])

    const first = await registry.metrics()
    reading = { url: 'https://one/', stats: { ...stats, invoked: 1 } }
    const second = await registry.metrics()

    expect(first).toContain('gatehouse_exchange_failover_active{organization="contoso"} 1')
    expect(first).toContain('gatehouse_runspaces_busy{organization="contoso"} 3')
    expect(first).toContain('gatehouse_exchange_throttled_seconds_total{organization="contoso"} 1.5')
    expect(first).toContain('gatehouse_cmdlets_total{organization="contoso"} 100')
    expect(second).toContain('gatehouse_cmdlets_total{organization="contoso"} 1')
    expect(second).toContain('gatehouse_exchange_failover_active{organization="contoso"} 0')
  })
})

describe('failures at Exchange', () => {
  it('are counted by their code, which is one of a few, and not when they are about one mailbox', async () => {
    const registry = new Registry()
    const count = createExchangeFailureCounter(registry, ['contoso'], ['exchange-unreachable'])

    count('contoso', new RetryableError('exchange-unreachable', 'No answer'))
    count('contoso', new RetryableError('wsman-something', 'Unknown'))
    count('contoso', new PermanentError('exchange-object-not-found', 'Gone', { detail: { scope: 'mailbox' } }))
    count('contoso', new Error('The database is away'))

    const text = await registry.metrics()
    expect(text).toContain('gatehouse_exchange_failures_total{organization="contoso",code="exchange-unreachable"} 1')
    expect(text).toContain('gatehouse_exchange_failures_total{organization="contoso",code="other"} 1')
    expect(text).not.toContain('object-not-found')
  })
})
