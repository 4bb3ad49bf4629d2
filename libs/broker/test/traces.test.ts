import { randomUUID } from 'node:crypto'
import { createMessage, done, later, PermanentError, RetryableError } from '@gatehouse/messages'
import { type SpanRecord, Tracer } from '@gatehouse/tracing'
import { beforeEach, expect, it } from 'vitest'
import { type BrokerLog, COMMANDS, planReplay, readDeadLetters } from '../src/index.ts'
import { type BrokerUnderTest, until, useBroker } from './broker-under-test.ts'
import { handleNotices } from './handle-notices.ts'

const REMOTE = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16) }
const TRACEPARENT = `00-${REMOTE.traceId}-${REMOTE.spanId}-01`

let broker: BrokerUnderTest
let spans: SpanRecord[]
let tracer: Tracer
useBroker((started) => {
  broker = started
})
beforeEach(() => {
  spans = []
  tracer = new Tracer({ record: (span) => spans.push(span) })
})

/** Publishes a notice as somebody would who writes these headers, and gives back its id. */
async function publishWith(headers: Record<string, string>): Promise<string> {
  await using control = await broker.connect({ as: 'control' })
  const noticeId = randomUUID()
  const message = createMessage('notification.send-notice', { noticeId })
  await control.publishRaw(
    {
      exchange: COMMANDS,
      routingKey: 'bulk.notification.send-notice.v1',
      content: Buffer.from(JSON.stringify(message)),
      messageId: message.messageId,
      type: message.type,
      headers,
    },
    broker.signal,
  )
  return noticeId
}

it('handles a message in a span of the trace it came with, and what it causes carries that span on', async () => {
  await using notification = await broker.connect({ as: 'notification', tracer })
  const caused = randomUUID()
  await using consumer = await handleNotices(notification, async (noticeId, context, signal) => {
    if (noticeId !== caused)
      await notification.publish(
        'notification.send-notice',
        { noticeId: caused },
        { lane: 'urgent', causedBy: context, signal },
      )
    return done
  })

  await publishWith({ traceparent: TRACEPARENT, tracestate: 'rojo=1' })

  await until(() => spans.length === 2)
  const first = spans.find((span) => span.parentSpanId === REMOTE.spanId)
  const second = spans.find((span) => span.parentSpanId === first?.context.spanId)
  expect(consumer.seen).toHaveLength(2)
  expect(first).toMatchObject({
    name: 'process gh.notification',
    kind: 'consumer',
    error: undefined,
    context: { traceId: REMOTE.traceId, traceState: 'rojo=1' },
    attributes: {
      'messaging.system': 'rabbitmq',
      'messaging.operation.type': 'process',
      'messaging.destination.name': 'gh.notification',
      'messaging.message.id': consumer.seen[0]?.context.messageId,
      'gatehouse.message.outcome': 'done',
    },
  })
  expect(second).toMatchObject({
    name: 'process gh.notification.urgent',
    context: { traceId: REMOTE.traceId, traceState: 'rojo=1' },
  })
})

it('keeps the trace of a message through the delay ladder, in its dead letter and in its replay', async () => {
  await using notification = await broker.connect({ as: 'notification', tracer, maxAttempts: 2 })
  let isWell = false
  await using consumer = await handleNotices(notification, () => {
    if (isWell) return done
    if (consumer.seen.length === 1) return later(250, 'not-yet')
    throw new RetryableError('mail-busy', 'The mail server is busy')
  })

  const noticeId = await publishWith({ traceparent: TRACEPARENT })

  await using control = await broker.connect({ as: 'control' })
  const where = ({ content }: { content: Buffer }) => content.includes(noticeId)
  const readLetter = async () =>
    (await readDeadLetters(control, { service: 'notification', limit: 1, where }, broker.signal)).messages[0]
  await until(async () => (await readLetter()) !== undefined)
  const letter = await readLetter()
  if (letter === undefined) throw new Error('No dead letter')
  expect(letter.headers['traceparent']).toBe(TRACEPARENT)
  const replay = planReplay(letter, { replayId: randomUUID() })
  if (replay.kind !== 'send') throw new Error(replay.why)
  isWell = true
  await control.publishRaw(replay.publication, broker.signal)

  await until(() => spans.length === 4)
  expect(spans.map(({ context, parentSpanId }) => [context.traceId, parentSpanId])).toEqual(
    Array(4).fill([REMOTE.traceId, REMOTE.spanId]),
  )
  expect(spans.map(({ error }) => error)).toEqual([undefined, 'mail-busy', 'mail-busy', undefined])
})

it('begins a trace for a message that has none or a broken one, and keeps it through every attempt', async () => {
  await using notification = await broker.connect({ as: 'notification', tracer, maxAttempts: 2 })
  await using consumer = await handleNotices(notification, () => {
    throw new RetryableError('mail-busy', 'The mail server is busy')
  })
  const broken = { traceparent: `00-${'0'.repeat(32)}-${REMOTE.spanId}-01`, tracestate: 'x'.repeat(5_000) }

  const ids = [await publishWith({}), await publishWith(broken)]

  await until(() => spans.length === 4)
  const tracesOf = (noticeId: string | undefined) =>
    consumer.seen.filter((one) => one.noticeId === noticeId).map(({ context }) => context.trace?.traceId)
  for (const id of ids) {
    expect(tracesOf(id)).toHaveLength(2)
    expect(new Set(tracesOf(id)).size).toBe(1)
  }
  expect(tracesOf(ids[0])[0]).not.toBe(tracesOf(ids[1])[0])
})

it('says of every message, for who wants to know, what became of it and in which trace', async () => {
  const lines: [Record<string, unknown>, string][] = []
  const say = (fields: object, message: string) => lines.push([{ ...tracer.current(), ...fields }, message])
  const log: BrokerLog = { debug: say, info: say, warn: say, error: say }
  await using notification = await broker.connect({ as: 'notification', tracer, log })
  await using _consumer = await handleNotices(notification, () => {
    throw new PermanentError('notice-unknown', 'The notice is not stored')
  })

  await publishWith({ traceparent: TRACEPARENT })

  await until(() => spans.length === 1)
  const ofMessage = lines.filter(([fields]) => fields['messageId'] !== undefined)
  expect(ofMessage).toMatchObject([
    [
      { traceId: REMOTE.traceId, messageType: 'notification.send-notice', attempt: 1, code: 'notice-unknown' },
      'Message is dead',
    ],
    [{ traceId: REMOTE.traceId, messageType: 'notification.send-notice', outcome: 'dead' }, 'Message handled'],
  ])
})
