import { AsyncLocalStorage } from 'node:async_hooks'
import { IdSource } from './id-source.ts'
import { Span, type SpanAttributes, type SpanKind, type SpanRecord } from './span.ts'
import type { TraceContext } from './trace-context.ts'

export type TracerOptions = {
  /** Takes what has ended. Without it nothing is recorded, and spans are only passed on. */
  readonly record?: ((span: SpanRecord) => void) | undefined
  /** The share of the traces begun here that is recorded, 0 to 1. Default 1. A trace begun elsewhere has been decided there. */
  readonly sampleRatio?: number | undefined
  readonly ids?: IdSource
}

export type SpanOptions = {
  readonly kind?: SpanKind
  /** Default: the span in which it is called. Undefined: none, a new trace begins. */
  readonly parent?: TraceContext | undefined
  /** Asked for only if the span is recorded, when it ends. */
  readonly attributes?: () => SpanAttributes
}

/** By the specification the rightmost 7 bytes of a trace id are random. */
const RANDOM_DIGITS = 14
const RANDOM_MAX = 2 ** 56

/** Begins spans and knows, wherever it is asked, in which one the caller's work is done. One for each process. */
export class Tracer {
  private readonly options: TracerOptions
  private readonly ids: IdSource
  private readonly storage = new AsyncLocalStorage<Span>()

  constructor(options: TracerOptions = {}) {
    this.options = options
    this.ids = options.ids ?? new IdSource()
  }

  /** The span in which the caller's work is done; undefined outside of any, and after it has ended. */
  current(): TraceContext | undefined {
    const span = this.storage.getStore()
    return span?.isOpen === true ? span.context : undefined
  }

  /** Begins a span; the caller ends it. */
  start(name: string, options: SpanOptions = {}): Span {
    const parent = 'parent' in options ? options.parent : this.current()
    const context = parent === undefined ? this.newTrace() : { ...parent, spanId: this.ids.spanId() }
    const { record } = this.options
    if (record === undefined || !context.isSampled) return new Span(context, undefined)
    return new Span(context, {
      parentSpanId: parent?.spanId,
      name,
      kind: options.kind ?? 'internal',
      startedAtMs: Date.now(),
      startedAt: performance.now(),
      attributes: options.attributes,
      record,
    })
  }

  /** Does the work in a span. */
  within<T>(span: Span, work: () => T): T {
    return this.storage.run(span, work)
  }

  /** Does the work in a span of its own, which ends with it; what it throws is the span's error. */
  async trace<T>(name: string, options: SpanOptions, work: (span: Span) => Promise<T>): Promise<T> {
    const span = this.start(name, options)
    try {
      const result = await this.within(span, () => work(span))
      span.end()
      return result
    } catch (error) {
      span.end({ error: errorCodeOf(error) })
      throw error
    }
  }

  private newTrace(): TraceContext {
    const traceId = this.ids.traceId()
    return { traceId, spanId: this.ids.spanId(), isSampled: this.isChosen(traceId) }
  }

  private isChosen(traceId: string): boolean {
    const { record, sampleRatio = 1 } = this.options
    if (record === undefined) return false
    return Number.parseInt(traceId.slice(-RANDOM_DIGITS), 16) < sampleRatio * RANDOM_MAX
  }
}

/** The stable code of one of our errors, or else the kind of error: never its text, which may name people. */
function errorCodeOf(error: unknown): string {
  if (!(error instanceof Error)) return typeof error
  return 'code' in error && typeof error.code === 'string' ? error.code : error.name
}
