import { setTimeout as delay } from 'node:timers/promises'
import { Agent } from 'undici'
import { encodeSpans, type Resource } from './encode-spans.ts'
import type { SpanRecord } from './span.ts'

/** What became of a span: `dropped` had no room in the queue, `failed` was not taken by the collector. */
export type SpanFate = 'exported' | 'dropped' | 'failed'

export type SpanExporterOptions = {
  /** Of an OTLP/HTTP collector, without `/v1/traces`. */
  readonly endpoint: string
  readonly resource: Resource
  /** Told of each fate as it happens. */
  readonly counted: (fate: SpanFate, spans: number) => void
  readonly log: Readonly<Record<'info' | 'warn', (fields: object, message: string) => void>>
  readonly batchMax?: number
  readonly queueMax?: number
  readonly intervalMs?: number
  /** For one request. */
  readonly timeoutMs?: number
  /** For all that is left when it closes. */
  readonly closeMs?: number
  /** Before a batch that the collector may take later is sent again, doubled each time. */
  readonly retryMs?: number
}

const DEFAULTS = { batchMax: 512, queueMax: 4_096, intervalMs: 2_000, timeoutMs: 10_000, closeMs: 3_000, retryMs: 1_000 }
const ATTEMPTS_MAX = 3
const RETRY_AFTER_MS_MAX = 30_000
const ANSWER_BYTES_MAX = 65_536
/** By the OTLP specification only these may be tried again. */
const RETRYABLE: ReadonlySet<number> = new Set([429, 502, 503, 504])

type Answer = { readonly rejected: number } | { readonly problem: string; readonly retryAfterMs: number | undefined }

/**
 * Sends spans to a collector in batches, one request at a time. It never makes anybody wait: what has no room in its queue is
 * dropped and counted. Disposing it sends what is left, within its time.
 */
export class SpanExporter implements AsyncDisposable {
  private readonly options: SpanExporterOptions & typeof DEFAULTS
  private readonly url: URL
  private readonly agent: Agent
  private readonly stopping = new AbortController()
  private queue: SpanRecord[] = []
  private timer: NodeJS.Timeout | undefined
  private sending: Promise<void> | undefined
  private hasFailed = false

  constructor(options: SpanExporterOptions) {
    this.options = { ...DEFAULTS, ...options }
    this.url = new URL(`${options.endpoint.replace(/\/+$/, '')}/v1/traces`)
    const { timeoutMs } = this.options
    this.agent = new Agent({
      connections: 1,
      pipelining: 1,
      connect: { timeout: timeoutMs },
      headersTimeout: timeoutMs,
      bodyTimeout: timeoutMs,
      maxResponseSize: ANSWER_BYTES_MAX,
    })
  }

  /** Takes a span that has ended. */
  add(span: SpanRecord): void {
    const { queueMax, batchMax, intervalMs, counted } = this.options
    if (this.queue.length >= queueMax || this.stopping.signal.aborted) {
      counted('dropped', 1)
      return
    }
    this.queue.push(span)
    if (this.queue.length >= batchMax) this.send()
    else this.timer ??= setTimeout(() => this.send(), intervalMs).unref()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const timeUp = setTimeout(() => this.stopping.abort(new Error('The worker stops')), this.options.closeMs)
    while (this.queue.length > 0 && !this.stopping.signal.aborted) {
      this.send()
      await this.sending
    }
    await this.sending
    clearTimeout(timeUp)
    clearTimeout(this.timer)
    this.stopping.abort(new Error('The exporter is closed'))
    if (this.queue.length > 0) this.options.counted('dropped', this.queue.length)
    this.queue = []
    await this.agent.destroy()
  }

  private send(): void {
    if (this.sending !== undefined || this.queue.length === 0) return
    clearTimeout(this.timer)
    this.timer = undefined
    const batch = this.queue.slice(0, this.options.batchMax)
    this.queue = this.queue.slice(batch.length)
    this.sending = this.deliver(batch).finally(() => {
      this.sending = undefined
      if (this.queue.length >= this.options.batchMax) this.send()
      else if (this.queue.length > 0) this.timer ??= setTimeout(() => this.send(), this.options.intervalMs).unref()
    })
  }

  private async deliver(batch: readonly SpanRecord[]): Promise<void> {
    const { counted, retryMs, resource } = this.options
    const body = encodeSpans(batch, resource)
    for (let attempt = 1; ; attempt += 1) {
      const answer = await this.post(body)
      if ('rejected' in answer) {
        const rejected = Math.min(answer.rejected, batch.length)
        counted('exported', batch.length - rejected)
        if (rejected > 0) counted('failed', rejected)
        this.note(rejected > 0 ? 'The collector has refused some spans' : undefined)
        return
      }
      this.note(answer.problem)
      if (answer.retryAfterMs === undefined || attempt === ATTEMPTS_MAX || this.stopping.signal.aborted) break
      const waitMs = Math.max(answer.retryAfterMs, retryMs * 2 ** (attempt - 1))
      await delay(waitMs, undefined, { signal: this.stopping.signal, ref: false }).catch(() => {})
    }
    counted('failed', batch.length)
  }

  private async post(body: string): Promise<Answer> {
    const signal = AbortSignal.any([this.stopping.signal, AbortSignal.timeout(this.options.timeoutMs)])
    try {
      const { origin, pathname, search } = this.url
      const headers = { 'content-type': 'application/json' }
      const answer = await this.agent.request({ origin, path: pathname + search, method: 'POST', headers, body, signal })
      const text = await answer.body.text()
      if (answer.statusCode === 200) return { rejected: rejectedOf(text) }
      const retryAfterMs = RETRYABLE.has(answer.statusCode) ? retryAfterMsOf(answer.headers['retry-after']) : undefined
      return { problem: `The collector answers ${answer.statusCode}`, retryAfterMs }
    } catch (error) {
      return { problem: error instanceof Error ? error.message : String(error), retryAfterMs: 0 }
    }
  }

  /** Said when it changes: a collector may be away for days. */
  private note(problem: string | undefined): void {
    const hasFailed = problem !== undefined
    if (hasFailed === this.hasFailed) return
    this.hasFailed = hasFailed
    const url = this.url.href
    if (hasFailed) this.options.log.warn({ url, reason: problem }, 'Spans cannot be exported')
    else this.options.log.info({ url }, 'Spans are exported again')
  }
}

/** A collector that takes only a part of a batch answers 200 and says how many spans it has refused. */
function rejectedOf(text: string): number {
  try {
    const answer = JSON.parse(text) as { partialSuccess?: { rejectedSpans?: number | string } } | null
    const rejected = Number(answer?.partialSuccess?.rejectedSpans ?? 0)
    return rejected > 0 ? rejected : 0
  } catch {
    return 0
  }
}

function retryAfterMsOf(header: string | string[] | undefined): number {
  const seconds = typeof header === 'string' ? Number(header) : 0
  return seconds > 0 ? Math.min(seconds * 1_000, RETRY_AFTER_MS_MAX) : 0
}
