import { describe, expect, it } from 'vitest'
import { IdSource } from './id-source.ts'
import type { SpanRecord } from './span.ts'
import { Tracer } from './tracer.ts'

const REMOTE = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), isSampled: true, traceState: 'rojo=1' }

function createRecorder(sampleRatio = 1) {
  const records: SpanRecord[] = []
  return { records, tracer: new Tracer({ sampleRatio, record: (span) => records.push(span) }) }
}

describe('ids', () => {
  it('are of the right length, in lower case and not all zero, also where the random bytes end', () => {
    const ids = new IdSource((bytes) => bytes.fill(0))

    for (let drawn = 0; drawn < 1_000; drawn += 1) {
      expect(ids.traceId()).toMatch(/^(?!0{32})[0-9a-f]{32}$/)
      expect(ids.spanId()).toMatch(/^(?!0{16})[0-9a-f]{16}$/)
    }
  })

  it('never come twice', () => {
    const ids = new IdSource()

    expect(new Set(Array.from({ length: 10_000 }, () => ids.spanId())).size).toBe(10_000)
  })
})

describe('a span', () => {
  it('is the child of the one it begins in, through every await', async () => {
    const { tracer, records } = createRecorder()

    await tracer.trace('outer', {}, async () => {
      await Promise.resolve()
      await tracer.trace('inner', { kind: 'client', attributes: () => ({ n: 1 }) }, () => Promise.resolve())
    })

    const [inner, outer] = records
    expect(inner).toMatchObject({ name: 'inner', kind: 'client', attributes: { n: 1 }, error: undefined })
    expect(outer).toMatchObject({ name: 'outer', parentSpanId: undefined })
    expect(inner?.parentSpanId).toBe(outer?.context.spanId)
    expect(inner?.context.traceId).toBe(outer?.context.traceId)
  })

  it('is the child of what came from elsewhere, with its trace state, wherever it begins', () => {
    const { tracer, records } = createRecorder()

    tracer.within(tracer.start('other'), () => tracer.start('process', { parent: REMOTE }).end())

    expect(records[0]).toMatchObject({
      parentSpanId: REMOTE.spanId,
      context: { traceId: REMOTE.traceId, traceState: REMOTE.traceState },
    })
  })

  it('begins a new trace when it is told to have no parent', () => {
    const { tracer } = createRecorder()
    const outer = tracer.start('outer')

    const inner = tracer.within(outer, () => tracer.start('inner', { parent: undefined }))

    expect(inner.context.traceId).not.toBe(outer.context.traceId)
  })

  it('ends with the code of what its work threw, not with its text', async () => {
    const { tracer, records } = createRecorder()
    const fail = (error: unknown) => tracer.trace('x', {}, () => Promise.reject(error)).catch(() => {})

    await fail(Object.assign(new Error('anna@contoso.com'), { code: 'mailbox-unknown' }))
    await fail(new TypeError('anna@contoso.com'))

    expect(records.map(({ error }) => error)).toEqual(['mailbox-unknown', 'TypeError'])
  })

  it('is recorded once, however often it is ended', () => {
    const { tracer, records } = createRecorder()
    const span = tracer.start('x')

    span.end({ attributes: { outcome: 'done' } })
    span.end({ error: 'late' })

    expect(records).toMatchObject([{ error: undefined, attributes: { outcome: 'done' } }])
  })
})

describe('the current span', () => {
  it('is none outside of any, and none for what goes on after it has ended', async () => {
    const { tracer } = createRecorder()
    const { promise, resolve } = Promise.withResolvers<void>()
    let later: Promise<unknown> | undefined

    const during = await tracer.trace('x', {}, () => {
      later = promise.then(() => tracer.current())
      return Promise.resolve(tracer.current())
    })
    resolve()

    expect(during?.spanId).toMatch(/^[0-9a-f]{16}$/)
    expect(await later).toBeUndefined()
    expect(tracer.current()).toBeUndefined()
  })
})

describe('sampling', () => {
  it('decides for a trace that begins here, and follows what was decided elsewhere', () => {
    const never = createRecorder(0)
    const always = createRecorder(1)

    never.tracer.start('x').end()
    never.tracer.start('x', { parent: REMOTE }).end()
    always.tracer.start('x', { parent: { ...REMOTE, isSampled: false } }).end()

    expect(never.records).toMatchObject([{ parentSpanId: REMOTE.spanId }])
    expect(always.records).toEqual([])
  })

  it('takes its share', () => {
    const { tracer, records } = createRecorder(0.25)

    for (let begun = 0; begun < 4_000; begun += 1) tracer.start('x').end()

    expect(records.length).toBeGreaterThan(800)
    expect(records.length).toBeLessThan(1_200)
  })

  it('asks for no attributes and marks nothing as recorded while nobody records', () => {
    const tracer = new Tracer()
    const span = tracer.start('x', {
      attributes: () => {
        throw new Error('Asked for')
      },
    })

    span.end()

    expect(span.context.isSampled).toBe(false)
  })
})
