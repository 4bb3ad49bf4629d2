import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import { SpanExporter, Tracer } from '@gatehouse/tracing'
import type { Registry } from 'prom-client'
import manifest from '../package.json' with { type: 'json' }
import { createLogger, type Logger } from './create-logger.ts'
import { createSpanCounter } from './create-span-counter.ts'
import type { Settings } from './settings-schema.ts'

/** The tracer of a process and the log that knows its spans; disposing sends what is left to the collector. */
export type Tracing = AsyncDisposable & { readonly tracer: Tracer; readonly log: Logger }

/** Spans are recorded and sent only when the settings name a collector. */
export function startTracing(name: string, settings: Settings, metrics: Registry): Tracing {
  const { otlpEndpoint: endpoint, sampleRatio } = settings.tracing
  const level = settings.worker.logLevel
  const counter = createSpanCounter(metrics)
  if (endpoint === undefined) {
    const tracer = new Tracer()
    const log = createLogger({ name, level, currentSpan: () => tracer.current() })
    return { tracer, log, [Symbol.asyncDispose]: () => Promise.resolve() }
  }
  const tracer: Tracer = new Tracer({ sampleRatio, record: (span) => exporter.add(span) })
  const log = createLogger({ name, level, currentSpan: () => tracer.current() })
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
