import type { ConsumeMessage } from 'amqplib'
import { describe, expect, it } from 'vitest'
import { deadHeaders, delayedHeaders, readFacts, stripBrokerHeaders } from './message-headers.ts'

const now = new Date('2026-11-24T12:00:00.000Z')
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
    const first = delayedHeaders(delivery({}), 1, failure, now)
    const second = delayedHeaders(
      { ...delivery(first), fields: { ...delivery({}).fields, exchange: 'gh.retry.out', routingKey: '0.0' } },
      2,
      failure,
      new Date('2026-11-24T13:00:00.000Z'),
    )

    expect(second).toEqual({
      'gh-origin-exchange': 'gh.events',
      'gh-origin-key': 'bulk.mailbox.observed.v1',
      'gh-attempt': 3,
      'gh-first-failed-at': now.toISOString(),
      'gh-error-code': 'busy',
    })
  })

  it('does not count waiting as an attempt, but since when it waits', () => {
    expect(delayedHeaders(delivery({ 'gh-attempt': 2 }), 2, undefined, now)).toMatchObject({
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

  it('takes nonsense in our own headers for a first attempt', () => {
    expect(readFacts({ 'gh-attempt': 'many', 'gh-waiting-since': 'soon', traceparent: 5 })).toEqual({
      attempt: 1,
      waitingSinceMs: undefined,
      firstFailedAt: undefined,
      traceparent: undefined,
    })
    expect(readFacts(undefined)).toMatchObject({ attempt: 1 })
  })
})
