import { describe, expect, it } from 'vitest'
import { createBrokerMetrics, createMetrics } from './create-metrics.ts'

describe('the metrics of a worker', () => {
  it('have one label for all types that nobody knows', async () => {
    const registry = createMetrics('discovery')
    const metrics = createBrokerMetrics(registry)

    for (let each = 0; each < 50; each++) metrics.handled(`invented-${each}`, 'later', 1)
    metrics.deadLettered('mailbox\nobserved', 'malformed', 'malformed')

    const text = await registry.metrics()
    expect(text).toContain('gatehouse_messages_handled_total{type="unknown",outcome="later",worker="discovery"} 50')
    expect(text).not.toContain('invented')
  })

  it('tell how long confirms take and at which level messages enter the ladder', async () => {
    const registry = createMetrics('discovery')
    const metrics = createBrokerMetrics(registry)

    metrics.confirmed(0.004)
    metrics.delayed('discovery.sync', 'sync-running', 5_000)

    const text = await registry.metrics()
    expect(text).toContain('gatehouse_publish_confirm_seconds_bucket{le="0.005",worker="discovery"} 1')
    expect(text).toContain('gatehouse_ladder_messages_total{level="4",worker="discovery"} 1')
    expect(text).toContain('gatehouse_ladder_messages_total{level="13",worker="discovery"} 0')
  })

  it('are all there from the start, at zero', async () => {
    const registry = createMetrics('discovery')
    createBrokerMetrics(registry)

    const text = await registry.metrics()

    expect(text).toContain('gatehouse_messages_handled_total{type="mailbox.observed",outcome="done",worker="discovery"} 0')
    expect(text).toContain('gatehouse_messages_published_total{type="sync.progressed",worker="discovery"} 0')
    expect(text).toContain('gatehouse_message_handling_seconds_count{worker="discovery",type="discovery.sync"} 0')
    expect(text).toContain('gatehouse_broker_ready{worker="discovery"} 0')
  })

  it('count what the broker connection tells', async () => {
    const registry = createMetrics('discovery')
    const metrics = createBrokerMetrics(registry)

    metrics.handled('discovery.sync', 'dead', 2)
    metrics.published('mailbox.observed')
    metrics.delayed('discovery.sync', 'brake', 100)
    metrics.deadLettered('discovery.sync', 'attempts-exhausted', 'handler-timeout')
    metrics.stateChanged('ready')

    const text = await registry.metrics()
    expect(text).toContain('gatehouse_messages_handled_total{type="discovery.sync",outcome="dead",worker="discovery"} 1')
    expect(text).toContain('gatehouse_message_handling_seconds_sum{worker="discovery",type="discovery.sync"} 2')
    expect(text).toContain(
      'gatehouse_dead_letters_total{type="discovery.sync",reason="attempts-exhausted",code="handler-timeout",worker="discovery"} 1',
    )
    expect(text).toContain('gatehouse_broker_ready{worker="discovery"} 1')
  })
})
