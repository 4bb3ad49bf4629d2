import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import { SpanExporter, type SpanFate, Tracer } from '@gatehouse/tracing'
import { Counter, type Registry } from 'prom-client'
import manifest from '../package.json' with { type: 'json' }
import { createLogger, type Logger } from './create-logger.ts'
import type { Settings } from './settings-schema.ts'

const FATES: readonly SpanFate[] = ['exported', 'dropped', 'failed']

/** The tracer of a process and the log that knows its spans; disposing sends what is left to the collector. */
export type Tracing = AsyncDisposable & { readonly tracer: Tracer; readonly log: Logger }

/** Spans are recorded and sent only when the settings name a collector. */
export function startTracing(name: string, settings: Settings, metrics: Registry): Tracing {
  const { otlpEndpoint: endpoint, sampleRatio } = settings.tracing
  const level = settings.worker.logLevel
  if (endpoint === undefined) {
    const tracer = new Tracer()
    const log = createLogger({ name, level, currentSpan: () => tracer.current() })
    return { tracer, log, [Symbol.asyncDispose]: () => Promise.resolve() }
  }
  const tracer: Tracer = new Tracer({ sampleRatio, record: (span) => exporter.add(span) })
  const log = createLogger({ name, level, currentSpan: () => tracer.current() })
  const counter = createSpanCounter(metrics)
  const resource = {
    'service.name': `gatehouse-${name}`,
    'service.namespace': 'gatehouse',
    'service.version': manifest.version,
    'service.instance.id': randomUUID(),
    'host.name': hostname(),
    'process.pid': process.pid,
  }
  const exporter = new SpanExporter({ endpoint, resource, log, counted: (fate, spans) => counter.inc({ fate }, spans) })
  return { tracer, log, [Symbol.asyncDispose]: () => exporter[Symbol.asyncDispose]() }
}

function createSpanCounter(metrics: Registry): Counter<'fate'> {
  const help = 'Spans by what became of them: sent to the collector, dropped for want of room, not taken by it'
  const counter = new Counter({ name: 'gatehouse_spans_total', help, labelNames: ['fate'], registers: [metrics] })
  for (const fate of FATES) counter.inc({ fate }, 0)
  return counter
}
