import type { SpanFate } from '@gatehouse/tracing'
import { Counter, type Registry } from 'prom-client'

const FATES: readonly SpanFate[] = ['exported', 'dropped', 'failed']

/** Counts spans, not requests to the collector. */
export function createSpanCounter(registry: Registry): Counter<'fate'> {
  const help =
    'Spans by what became of them: sent to the collector, dropped for want of room, not taken by it; none without tracing.otlpEndpoint'
  const counter = new Counter({ name: 'gatehouse_spans_total', help, labelNames: ['fate'], registers: [registry] })
  for (const fate of FATES) counter.inc({ fate }, 0)
  return counter
}
