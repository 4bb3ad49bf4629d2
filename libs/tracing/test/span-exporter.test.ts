import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type OtlpCollector, startOtlpCollector } from '../../../test/environment/otlp-collector.ts'
import { until } from '../../../test/environment/until.ts'
import { SpanExporter, type SpanExporterOptions, type SpanFate, Tracer } from '../src/index.ts'

let collector: OtlpCollector
let fates: Record<SpanFate, number>
let said: string[]

beforeEach(async () => {
  collector = await startOtlpCollector()
  fates = { exported: 0, dropped: 0, failed: 0 }
  said = []
})
afterEach(async () => {
  await collector[Symbol.asyncDispose]()
})

function createExporter(options: Partial<SpanExporterOptions> = {}): { exporter: SpanExporter; tracer: Tracer } {
  const say = (_fields: object, message: string) => said.push(message)
  const exporter = new SpanExporter({
    endpoint: collector.url,
    resource: { 'service.name': 'gatehouse-test' },
    counted: (fate, spans) => {
      fates[fate] += spans
    },
    log: { info: say, warn: say },
    intervalMs: 10,
    retryMs: 1,
    ...options,
  })
  return { exporter, tracer: new Tracer({ record: (span) => exporter.add(span) }) }
}

describe('the export of spans', () => {
  it('is what the OTLP specification says', async () => {
    const { exporter, tracer } = createExporter()
    const parent = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), isSampled: true, traceState: 'rojo=1' }
    const before = Date.now()

    tracer.start('good', { kind: 'client', attributes: () => ({ text: 'x', whole: 5, part: 0.5, is: true }) }).end()
    tracer.start('bad', { kind: 'consumer', parent }).end({ error: 'mailbox-unknown' })
    await exporter[Symbol.asyncDispose]()

    expect(collector.faults).toEqual([])
    const [good, bad] = collector.spans
    expect(good).toMatchObject({
      name: 'good',
      kind: 3,
      attributes: { text: 'x', whole: 5, part: 0.5, is: true },
      status: {},
      resource: { 'service.name': 'gatehouse-test' },
    })
    expect(Number(BigInt(good?.startTimeUnixNano ?? 0) / 1_000_000n)).toBeGreaterThanOrEqual(before)
    expect(Number(BigInt(good?.endTimeUnixNano ?? 0) / 1_000_000n)).toBeLessThanOrEqual(Date.now() + 1)
    expect(good).not.toHaveProperty('parentSpanId')
    expect(bad).toMatchObject({
      traceId: parent.traceId,
      parentSpanId: parent.spanId,
      traceState: 'rojo=1',
      kind: 5,
      status: { code: 2, message: 'mailbox-unknown' },
      attributes: { 'error.type': 'mailbox-unknown' },
    })
    expect(fates).toEqual({ exported: 2, dropped: 0, failed: 0 })
  })

  it('goes by itself when its time has come, and at once when a batch is full', async () => {
    const timed = createExporter()
    const full = createExporter({ intervalMs: 3_600_000, batchMax: 3 })

    timed.tracer.start('timed').end()
    for (const name of ['1', '2', '3', '4']) full.tracer.start(name).end()

    await until(() => collector.spans.length === 4)
    expect(collector.requests.map(({ spans }) => spans).toSorted()).toEqual([1, 3])
    await timed.exporter[Symbol.asyncDispose]()
    await full.exporter[Symbol.asyncDispose]()
    expect(collector.spans).toHaveLength(5)
  })

  it('drops and counts what has no room while the collector does not answer, and makes nobody wait', async () => {
    const { exporter, tracer } = createExporter({ batchMax: 2, queueMax: 4, timeoutMs: 150, closeMs: 300 })
    collector.answerNext('hang', 'hang', 'hang', 'hang')

    for (let begun = 0; begun < 20; begun += 1) tracer.start('x').end()

    expect(fates.dropped).toBe(14)
    await exporter[Symbol.asyncDispose]()
    expect(fates.exported + fates.dropped + fates.failed).toBe(20)
  })

  it('sends again what the collector may take later, and gives up what it refuses', async () => {
    const { exporter, tracer } = createExporter({ batchMax: 1 })
    collector.answerNext({ status: 503, headers: { 'retry-after': '0' } }, { status: 429 }, { status: 200 }, { status: 400 })

    tracer.start('taken').end()
    tracer.start('refused').end()
    await exporter[Symbol.asyncDispose]()

    expect(collector.spans.map(({ name }) => name)).toEqual(['taken'])
    expect(fates).toEqual({ exported: 1, dropped: 0, failed: 1 })
    expect(collector.requests).toHaveLength(4)
  })

  it('tries three times and no more', async () => {
    const { exporter, tracer } = createExporter({ batchMax: 1 })
    collector.answerNext(...Array.from({ length: 9 }, () => ({ status: 503 })))

    tracer.start('x').end()
    await until(() => fates.failed === 1)

    expect(collector.requests).toHaveLength(3)
    await exporter[Symbol.asyncDispose]()
  })

  it('counts what the collector has refused of a batch', async () => {
    const { exporter, tracer } = createExporter()
    collector.answerNext({ status: 200, body: '{"partialSuccess":{"rejectedSpans":"2","errorMessage":"too old"}}' })

    for (let begun = 0; begun < 3; begun += 1) tracer.start('x').end()
    await exporter[Symbol.asyncDispose]()

    expect(fates).toEqual({ exported: 1, dropped: 0, failed: 2 })
  })

  it('says once that the collector is away, and once that it is back', async () => {
    const { exporter, tracer } = createExporter({ batchMax: 1 })
    collector.answerNext({ status: 400 }, { status: 400 })

    for (let begun = 0; begun < 4; begun += 1) {
      tracer.start('x').end()
      await until(() => fates.exported + fates.failed === begun + 1)
    }

    expect(said).toEqual(['Spans cannot be exported', 'Spans are exported again'])
    await exporter[Symbol.asyncDispose]()
  })

  it('ends in time when nobody listens', async () => {
    const { exporter, tracer } = createExporter({ endpoint: 'http://127.0.0.1:1', closeMs: 100, retryMs: 3_600_000 })

    tracer.start('x').end()
    await exporter[Symbol.asyncDispose]()

    expect(fates).toEqual({ exported: 0, dropped: 0, failed: 1 })
  })
})
