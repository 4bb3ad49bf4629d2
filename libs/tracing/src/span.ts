import type { TraceContext } from './trace-context.ts'

export type SpanKind = 'internal' | 'server' | 'client' | 'consumer'

/** By the names of the semantic conventions where there is one. Never a device's name, a mail address or a user's id. */
export type SpanAttributes = Readonly<Record<string, string | number | boolean>>

/** A span that has ended and is to be exported. */
export type SpanRecord = {
  readonly context: TraceContext
  readonly parentSpanId: string | undefined
  readonly name: string
  readonly kind: SpanKind
  /** Milliseconds of the epoch. */
  readonly startedAtMs: number
  readonly durationMs: number
  readonly attributes: SpanAttributes
  /** The code of what failed. */
  readonly error: string | undefined
}

/** What a span that is exported needs to know; one that is not costs its ids only. */
export type Recording = {
  readonly parentSpanId: string | undefined
  readonly name: string
  readonly kind: SpanKind
  readonly startedAtMs: number
  readonly startedAt: number
  readonly attributes: (() => SpanAttributes) | undefined
  readonly record: (span: SpanRecord) => void
}

/** One piece of work in a trace, from its beginning to its end. */
export class Span {
  readonly context: TraceContext
  private recording: Recording | undefined
  private hasEnded = false

  constructor(context: TraceContext, recording: Recording | undefined) {
    this.context = context
    this.recording = recording
  }

  /** What outlives the work, such as a timer that it has started, belongs to no trace. */
  get isOpen(): boolean {
    return !this.hasEnded
  }

  /** Ends it once; `error` is the code of what failed, `attributes` what is known only now. */
  end(outcome: { error?: string | undefined; attributes?: SpanAttributes } = {}): void {
    if (this.hasEnded) return
    this.hasEnded = true
    const { recording } = this
    if (recording === undefined) return
    // Timers keep their span; what describes the work may hold a whole message.
    this.recording = undefined
    const { parentSpanId, name, kind, startedAtMs } = recording
    recording.record({
      context: this.context,
      parentSpanId,
      name,
      kind,
      startedAtMs,
      durationMs: performance.now() - recording.startedAt,
      attributes: { ...recording.attributes?.(), ...outcome.attributes },
      error: outcome.error,
    })
  }
}
