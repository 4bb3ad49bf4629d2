import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

/*
 * A collector written from the OTLP specification and trace.proto (opentelemetry-proto 1.x), not from what the exporter sends: it
 * refuses whatever the JSON encoding of an ExportTraceServiceRequest may not be.
 */

export type CollectedSpan = {
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId?: string
  readonly traceState?: string
  readonly name: string
  readonly kind: number
  readonly startTimeUnixNano: string
  readonly endTimeUnixNano: string
  readonly attributes: Readonly<Record<string, unknown>>
  readonly status: { readonly code?: number; readonly message?: string }
  readonly resource: Readonly<Record<string, unknown>>
}

export type OtlpCollector = AsyncDisposable & {
  readonly url: string
  readonly spans: CollectedSpan[]
  /** What was wrong with requests. */
  readonly faults: string[]
  readonly requests: { readonly spans: number }[]
  /** Answers the next requests so instead. `hang`: not at all. */
  answerNext(...answers: (Answer | 'hang')[]): void
}

type Answer = { readonly status: number; readonly headers?: Record<string, string>; readonly body?: string }
type Json = Record<string, unknown>

/** Listens on a free port of this machine. */
export async function startOtlpCollector(): Promise<OtlpCollector> {
  const spans: CollectedSpan[] = []
  const faults: string[] = []
  const requests: { spans: number }[] = []
  const answers: (Answer | 'hang')[] = []
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const answer = answers.shift()
    try {
      if (request.method !== 'POST' || request.url !== '/v1/traces') throw new Error(`${request.method} ${request.url}`)
      if (request.headers['content-type'] !== 'application/json') throw new Error(String(request.headers['content-type']))
      const read = readRequest(JSON.parse(Buffer.concat(chunks).toString('utf8')))
      requests.push({ spans: read.length })
      if (answer === undefined || (answer !== 'hang' && answer.status === 200)) spans.push(...read)
    } catch (error) {
      faults.push(String(error))
      response.writeHead(400).end()
      return
    }
    if (answer === 'hang') return
    response.writeHead(answer?.status ?? 200, { 'content-type': 'application/json', ...answer?.headers })
    response.end(answer?.body ?? '{"partialSuccess":{}}')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    spans,
    faults,
    requests,
    answerNext: (...next) => answers.push(...next),
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

function readRequest(body: unknown): CollectedSpan[] {
  const { resourceSpans } = only(body, ['resourceSpans'])
  return list(resourceSpans).flatMap((one) => {
    const { resource, scopeSpans } = only(one, ['resource', 'scopeSpans'], ['schemaUrl'])
    const about = readAttributes(only(resource, ['attributes'], ['droppedAttributesCount']).attributes)
    if (typeof about['service.name'] !== 'string') throw new Error('A resource without service.name')
    return list(scopeSpans).flatMap((each) => {
      const scoped = only(each, ['scope', 'spans'], ['schemaUrl'])
      only(scoped.scope, ['name'], ['version', 'attributes'])
      return list(scoped.spans).map((span) => readSpan(span, about))
    })
  })
}

function readSpan(value: unknown, resource: Json): CollectedSpan {
  const span = only(
    value,
    ['traceId', 'spanId', 'name', 'kind', 'startTimeUnixNano', 'endTimeUnixNano'],
    ['parentSpanId', 'traceState', 'flags', 'attributes', 'status', 'events', 'links'],
  )
  id(span.traceId, 32)
  id(span.spanId, 16)
  if (span.parentSpanId !== undefined) id(span.parentSpanId, 16)
  if (typeof span.name !== 'string' || span.name === '') throw new Error('A span without a name')
  if (!Number.isInteger(span.kind) || Number(span.kind) < 1 || Number(span.kind) > 5) throw new Error(`Kind ${span.kind}`)
  const [start, end] = [nanoseconds(span.startTimeUnixNano), nanoseconds(span.endTimeUnixNano)]
  if (end < start) throw new Error('A span ends before it begins')
  const status = only(span.status ?? {}, [], ['code', 'message'])
  if (![undefined, 0, 1, 2].includes(status.code as number)) throw new Error(`Status ${status.code}`)
  return { ...(span as unknown as CollectedSpan), attributes: readAttributes(span.attributes ?? []), resource }
}

function readAttributes(value: unknown): Json {
  const entries = list(value).map((one): [string, unknown] => {
    const { key, value: given } = only(one, ['key', 'value'])
    if (typeof key !== 'string' || key === '') throw new Error('An attribute without a key')
    return [key, readValue(given)]
  })
  const read = Object.fromEntries(entries)
  if (Object.keys(read).length !== entries.length) throw new Error('An attribute twice')
  return read
}

function readValue(value: unknown): unknown {
  const [[name, given] = ['', undefined], ...others] = Object.entries(object(value))
  if (others.length > 0) throw new Error('A value of two kinds')
  if (name === 'stringValue' && typeof given === 'string') return given
  if (name === 'boolValue' && typeof given === 'boolean') return given
  if (name === 'intValue' && typeof given === 'string' && /^-?\d{1,19}$/.test(given)) return Number(given)
  if (name === 'doubleValue' && typeof given === 'number') return given
  throw new Error(`A value that is none: ${JSON.stringify(value)}`)
}

function id(value: unknown, digits: number): void {
  if (typeof value !== 'string' || !new RegExp(`^(?!0+$)[0-9a-f]{${digits}}$`).test(value)) throw new Error(`Id ${value}`)
}

function nanoseconds(value: unknown): bigint {
  if (typeof value !== 'string' || !/^\d{19}$/.test(value)) throw new Error(`Time ${JSON.stringify(value)}`)
  return BigInt(value)
}

function list(value: unknown): unknown[] {
  if (!Array.isArray(value)) throw new Error(`No list: ${JSON.stringify(value)}`)
  return value
}

function object(value: unknown): Json {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new Error(`No object: ${JSON.stringify(value)}`)
  return value as Json
}

function only(value: unknown, required: readonly string[], optional: readonly string[] = []): Json {
  const read = object(value)
  for (const key of required) if (!(key in read)) throw new Error(`${key} is missing`)
  for (const key of Object.keys(read)) if (![...required, ...optional].includes(key)) throw new Error(`${key} is unknown`)
  return read
}
