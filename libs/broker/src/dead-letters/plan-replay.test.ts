import { randomUUID } from 'node:crypto'
import type { ConsumeMessage } from 'amqplib'
import { describe, expect, it } from 'vitest'
import { type DeadLetterSource, toDeadLetter } from './dead-letter.ts'
import { planReplay } from './plan-replay.ts'
import { toStoredLetter } from './put-dead-letter.ts'

const ID = '5f0f2a70-3f62-4b8e-9d2c-1f1a2b3c4d5e'
const BODY = {
  type: 'mailbox.decided',
  version: 1,
  messageId: ID,
  at: '2026-11-26T10:00:00.000Z',
  organizationId: randomUUID(),
  mailboxId: randomUUID(),
  decisionVersion: 3,
  syncRunId: randomUUID(),
}
const DEAD_HEADERS = {
  'gh-attempt': 8,
  'gh-origin-exchange': 'gh.events',
  'gh-origin-key': 'urgent.mailbox.decided.v1',
  'gh-reason': 'attempts-exhausted',
  'gh-error-code': 'exchange-timeout',
  'gh-error-class': 'RetryableError',
  'gh-error-message': 'No answer',
  'gh-caused-by': 'c1',
  'gh-dead-at': '2026-11-26T11:00:00.000Z',
  traceparent: '00-aa-bb-01',
}

function letterOf(raw: { body?: unknown; headers?: object; source?: DeadLetterSource; messageId?: string; key?: string }) {
  const content = raw.body instanceof Buffer ? raw.body : Buffer.from(JSON.stringify(raw.body ?? BODY))
  const properties = { messageId: raw.messageId ?? ID, type: 'mailbox.decided', headers: raw.headers ?? DEAD_HEADERS }
  const fields = { exchange: 'gh.dead', routingKey: raw.key ?? 'enforcement' }
  return toDeadLetter({ content, properties, fields } as unknown as ConsumeMessage, raw.source ?? 'enforcement')
}

describe('a replay', () => {
  it('sends a letter to where it was first published, with its id, as at its first attempt', () => {
    const plan = planReplay(letterOf({}), { replayId: 'r1' })

    expect(plan).toEqual({
      kind: 'send',
      queues: ['gh.enforcement.urgent'],
      publication: {
        exchange: 'gh.events',
        routingKey: 'urgent.mailbox.decided.v1',
        content: Buffer.from(JSON.stringify(BODY)),
        messageId: ID,
        type: 'mailbox.decided',
        headers: { 'gh-attempt': 1, 'gh-caused-by': 'c1', 'gh-replay-id': 'r1', 'gh-replays': 1, traceparent: '00-aa-bb-01' },
      },
    })
  })

  it('sends to one service and lane when told to, if that service handles the type', () => {
    const to = { service: 'enforcement', lane: 'bulk' } as const

    const plan = planReplay(letterOf({ headers: {} }), { replayId: 'r1', to })
    const wrong = planReplay(letterOf({}), { replayId: 'r1', to: { service: 'notification', lane: 'bulk' } })

    expect(plan).toMatchObject({ kind: 'send', queues: ['gh.enforcement.due'], publication: { exchange: 'gh.retry.l00' } })
    expect(wrong).toMatchObject({ kind: 'refused', code: 'no-route' })
  })

  it('counts how often a letter was replayed', () => {
    const plan = planReplay(letterOf({ headers: { ...DEAD_HEADERS, 'gh-replays': 2, 'gh-replay-id': 'r0' } }), {
      replayId: 'r1',
    })

    expect(plan).toMatchObject({ publication: { headers: { 'gh-replays': 3, 'gh-replay-id': 'r1' } } })
  })

  it.each([
    ['malformed', letterOf({ body: Buffer.from('not { json') })],
    ['malformed', letterOf({ body: { ...BODY, mailboxId: 'x' } })],
    ['malformed', letterOf({ body: [] })],
    ['unknown-type', letterOf({ body: { ...BODY, type: 'device.exploded' } })],
    ['newer-version', letterOf({ body: { ...BODY, version: 2 } })],
    ['no-origin', letterOf({ headers: {} })],
    ['no-route', letterOf({ headers: { ...DEAD_HEADERS, 'gh-origin-exchange': 'gh.commands' } })],
    ['no-route', letterOf({ headers: { ...DEAD_HEADERS, 'gh-origin-exchange': 'gh.retry.out', 'gh-origin-key': '0.1' } })],
    ['type-mismatch', letterOf({ headers: { ...DEAD_HEADERS, 'gh-origin-key': 'bulk.mailbox.observed.v1' } })],
  ])('does not send what would be dead or lost again: %s', (code, letter) => {
    expect(planReplay(letter, { replayId: 'r1' })).toMatchObject({ kind: 'refused', code })
  })
})

describe('a dead letter', () => {
  it('that somebody put there by hand is read, and known by its content', () => {
    const letter = letterOf({ body: Buffer.from([0xff, 0x00]), headers: { 'gh-attempt': 'many', x: { y: 1 } }, messageId: '' })

    expect(letter).toMatchObject({
      reason: 'unknown',
      attempts: 1,
      replays: 0,
      origin: undefined,
      headers: { 'gh-attempt': 'many' },
    })
    expect(letter.key).toMatch(/^sha256:[0-9a-f]{32}$/)
  })

  it('that the broker buried keeps, when it is stored, what only the broker had noted', () => {
    const death = {
      reason: 'delivery_limit',
      queue: 'gh.enforcement',
      exchange: 'gh.events',
      'routing-keys': ['bulk.mailbox.decided.v1'],
      time: { '!': 'timestamp', value: 1_795_687_200 },
    }

    const stored = toStoredLetter(letterOf({ headers: { 'x-death': [death], 'gh-attempt': 1 } }))

    expect(stored.headers).toEqual({
      'gh-attempt': 1,
      'gh-reason': 'delivery-limit',
      'gh-queue': 'gh.enforcement',
      'gh-dead-at': '2026-11-26T10:00:00.000Z',
      'gh-origin-exchange': 'gh.events',
      'gh-origin-key': 'bulk.mailbox.decided.v1',
    })
  })

  it('that no queue took tells where it was published to', () => {
    const letter = letterOf({ source: 'unrouted', headers: {}, key: 'bulk.mailbox.decided.v1' })

    expect(letter).toMatchObject({
      queue: 'gh.unrouted',
      reason: 'unrouted',
      origin: { routingKey: 'bulk.mailbox.decided.v1' },
    })
  })
})
