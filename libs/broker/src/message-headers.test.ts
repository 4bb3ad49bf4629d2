import type { ConsumeMessage } from 'amqplib'
import { describe, expect, it } from 'vitest'
import { deadHeaders, delayedHeaders, readFacts, stripBrokerHeaders } from './message-headers.ts'

const now = new Date('2026-11-24T12:00:00.000Z')
const TRACEPARENT = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`
const trace = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), isSampled: true }
const failure = { code: 'busy', errorClass: 'RetryableError', message: 'x'.repeat(5_000) }
const delivery = (headers: Record<string, unknown>): ConsumeMessage =>
  ({
    content: Buffer.from('{}'),
    fields: {
      exchange: 'gh.events',
      routingKey: 'bulk.mailbox.observed.v1',
      deliveryTag: 1,
      redelivered: false,
      consumerTag: 'c',
    },
    properties: { headers },
  }) as unknown as ConsumeMessage

describe('the headers of a message that is sent again', () => {
  it('leaves out what the broker wrote, which would make the message look like a cycle', () => {
    const headers = {
      'x-death': [{}],
      'x-first-death-queue': 'q',
      'x-last-death-reason': 'expired',
      'x-delivery-count': 3,
      'x-acquired-count': 1,
      'gh-attempt': 2,
      traceparent: '00-a-b-01',
    }

    expect(stripBrokerHeaders(headers)).toEqual({ 'gh-attempt': 2, traceparent: '00-a-b-01' })
  })

  it('remembers where it came from, also the second time', () => {
    const first = delayedHeaders(delivery({}), { attempt: 1, failure, trace, now })
    const second = delayedHeaders(
      { ...delivery(first), fields: { ...delivery({}).fields, exchange: 'gh.retry.out', routingKey: '0.0' } },
      { attempt: 2, failure, trace, now: new Date('2026-11-24T13:00:00.000Z') },
    )

    expect(second).toEqual({
      'gh-origin-exchange': 'gh.events',
      'gh-origin-key': 'bulk.mailbox.observed.v1',
      'gh-attempt': 3,
      'gh-first-failed-at': now.toISOString(),
      'gh-error-code': 'busy',
      traceparent: TRACEPARENT,
    })
  })

  it('does not count waiting as an attempt, but since when it waits', () => {
    expect(delayedHeaders(delivery({ 'gh-attempt': 2 }), { attempt: 2, failure: undefined, trace, now })).toMatchObject({
      'gh-attempt': 2,
      'gh-waiting-since': now.toISOString(),
    })
  })

  it('says all about a dead one, within bounds', () => {
    const headers = deadHeaders(delivery({ 'gh-attempt': 8 }), {
      reason: 'attempts-exhausted',
      failure,
      handler: 'mailbox.observed',
      queue: 'gh.compliance-lookup',
      attempt: 8,
      trace,
      now,
    })

    expect(headers).toMatchObject({
      'gh-reason': 'attempts-exhausted',
      'gh-error-code': 'busy',
      'gh-handler': 'mailbox.observed',
      'gh-queue': 'gh.compliance-lookup',
      'gh-attempt': 8,
      'gh-first-failed-at': now.toISOString(),
      'gh-origin-key': 'bulk.mailbox.observed.v1',
    })
    expect(String(headers['gh-error-message'])).toHaveLength(1_000)
  })

  it('keeps the trace of the message, and gives it one in the place of nonsense', () => {
    const kept = delayedHeaders(delivery({ traceparent: TRACEPARENT, tracestate: 'rojo=1' }), {
      attempt: 1,
      failure,
      trace: { ...trace, traceState: 'rojo=1' },
      now,
    })
    const given = delayedHeaders(delivery({ traceparent: 'x'.repeat(60_000), tracestate: 'y'.repeat(60_000) }), {
      attempt: 1,
      failure,
      trace,
      now,
    })

    expect(kept).toMatchObject({ traceparent: TRACEPARENT, tracestate: 'rojo=1' })
    expect(given).toMatchObject({ traceparent: TRACEPARENT })
    expect(given).not.toHaveProperty('tracestate')
  })

  it('reads the trace of a message, whether it has one or not', () => {
    expect(readFacts({ traceparent: TRACEPARENT, tracestate: 'rojo=1' }).trace).toEqual({ ...trace, traceState: 'rojo=1' })
    expect(readFacts({ traceparent: TRACEPARENT, tracestate: '=' }).trace).toEqual(trace)
    expect(readFacts({ traceparent: '00-a-b-01' }).trace).toBeUndefined()
  })

  it('takes nonsense in our own headers for a first attempt', () => {
    expect(readFacts({ 'gh-attempt': 'many', 'gh-waiting-since': 'soon', traceparent: 5 })).toEqual({
      attempt: 1,
      waitingSinceMs: undefined,
      firstFailedAt: undefined,
      trace: undefined,
    })
    expect(readFacts(undefined)).toMatchObject({ attempt: 1 })
  })
})
