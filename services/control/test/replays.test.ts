import { randomUUID } from 'node:crypto'
import { done, PermanentError } from '@gatehouse/messages'
import { describe, expect, it } from 'vitest'
import { until } from '../../../test/environment/until.ts'
import { type DeadLetterFixture, useDeadLetters } from './dead-letter-fixture.ts'

let fixture: DeadLetterFixture
useDeadLetters((started) => {
  fixture = started
})

const replay = (request: object, headers: Record<string, string> = {}) =>
  fixture.call('POST', '/api/deadLetters/replay', request, headers)
const execute = (request: object) => replay({ execute: true, yes: true, ...request })
const refuse = () => {
  throw new PermanentError('still-broken', 'It is still broken')
}

describe('a replay that is not told to execute', () => {
  it('shows what would go where, and sends nothing', async () => {
    const ids = await fixture.bury(2)
    await fixture.buryRaw({ messageId: 'junk', type: 'notification.send-notice', content: Buffer.from('{') })

    const { status, body } = await replay({})

    expect(status).toBe(200)
    expect(body).toMatchObject({
      count: 2,
      hash: expect.stringMatching(/^[0-9a-f]{16}$/),
      groups: [{ code: 'mail-refused', count: 2, sample: { id: ids[0] } }],
      targets: [{ queue: 'gh.notification', count: 2 }],
      refused: { count: 1, samples: [{ id: 'junk', service: 'notification', code: 'malformed' }] },
    })
    expect(await fixture.depth()).toBe(3)
    expect((await fixture.call('GET', '/api/replays')).body.value).toEqual([])
  })

  it('says so when nothing is meant', async () => {
    expect(await replay({ filter: { code: 'nothing' } })).toMatchObject({ status: 200, body: { count: 0 } })
    expect(await execute({ filter: { code: 'nothing' } })).toMatchObject({ status: 200, body: { count: 0 } })
  })

  it.each([
    [{ filter: { colour: 'red' } }],
    [{ colour: 'red' }],
    [{ ratePerSecond: 0 }],
    [{ canary: { count: 0, seconds: 1 } }],
    [{ to: 'nobody' }],
    [{ hash: 'short' }],
  ])('refuses what it does not know: %j', async (request) => {
    expect(await replay(request)).toMatchObject({ status: 400, body: { title: 'The request is not valid' } })
  })

  it('refuses to execute without the hash, and with one that is not of the present selection', async () => {
    await fixture.bury(1)
    const { body: shown } = await replay({})
    await fixture.bury(1)

    expect(await replay({ execute: true })).toMatchObject({ status: 409, body: { code: 'hash-needed' } })
    expect(await replay({ execute: true, hash: shown['hash'] })).toMatchObject({
      status: 409,
      body: { code: 'selection-changed', present: { count: 2 } },
    })
    expect(await fixture.depth()).toBe(2)
  })
})

describe('a replay', () => {
  it('sends what is meant to where it came from, with its id, as at its first attempt, and leaves the rest', async () => {
    const ids = await fixture.bury(3)
    const [other] = await fixture.bury(1, { 'gh-error-code': 'other' })
    await using consumer = await fixture.handle(() => done)
    const filter = { code: 'mail-refused' }
    const { body: shown } = await replay({ filter })

    const started = await replay({ filter, execute: true, hash: shown['hash'] }, { 'gatehouse-actor': 'anna' })
    const ended = await fixture.ended(started.body['replayId'])

    expect(started.status).toBe(202)
    expect(ended).toMatchObject({ state: 'finished', counts: { selected: 3, sent: 3, returned: 0 }, actor: 'api (anna)' })
    expect(consumer.seen.map(({ messageId }) => messageId).toSorted()).toEqual(ids.toSorted())
    expect(consumer.seen.map(({ attempt }) => attempt)).toEqual([1, 1, 1])
    const left = await fixture.call('GET', '/api/deadLetters')
    expect(left.body.value.map((letter) => letter['messageId'])).toEqual([other])
    const actions = await fixture.call('GET', '/api/deadLetters/actions')
    expect(actions.body.value).toMatchObject([
      { action: 'replay-end', detail: { counts: { sent: 3 } } },
      { action: 'replay', actor: 'api (anna)', detail: { filter, selected: 3, hash: shown['hash'] } },
    ])
  })

  it('can be sent elsewhere, where nothing tells where a letter came from', async () => {
    const [id] = await fixture.bury(1)
    const { text } = await fixture.callText('GET', '/api/deadLetters/export')
    const letter = { ...JSON.parse(text), headers: {} }
    await fixture.vhost.purge('gh.notification.dead')
    await fixture.call('POST', '/api/deadLetters/import', JSON.stringify(letter))
    await using consumer = await fixture.handle(() => done)

    const without = await replay({})
    const { body } = await execute({ to: 'notification.urgent' })

    expect(without.body).toMatchObject({ count: 0, refused: { samples: [{ code: 'no-origin' }] } })
    expect(await fixture.ended(body['replayId'])).toMatchObject({ state: 'finished', counts: { sent: 1 } })
    expect(consumer.seen).toMatchObject([{ messageId: id, lane: 'urgent' }])
  })

  it('takes no more than it is told to, the oldest first', async () => {
    const ids = await fixture.bury(5)
    await using consumer = await fixture.handle(() => done)

    const { body } = await execute({ max: 2 })

    expect(await fixture.ended(body['replayId'])).toMatchObject({ state: 'finished', counts: { selected: 2, sent: 2 } })
    expect(consumer.seen.map(({ messageId }) => messageId).toSorted()).toEqual(ids.slice(0, 2).toSorted())
    expect(await fixture.depth()).toBe(3)
  })

  it('counts the letters that are dead again, which tell which replay sent them', async () => {
    const [id] = await fixture.bury(1)
    await using _consumer = await fixture.handle(refuse)

    const { body } = await execute({ returnedPercentMax: 100 })
    const ended = await fixture.ended(body['replayId'])

    expect(ended).toMatchObject({ state: 'finished', counts: { sent: 1, returned: 1 } })
    const { body: shown } = await fixture.call('GET', `/api/deadLetters?replayId=${body['replayId']}`)
    expect(shown.value).toMatchObject([{ messageId: id, replays: 1, reason: 'still-broken' }])
  })

  it('stops when too many of its letters are dead again', async () => {
    await fixture.bury(40)
    await using consumer = await fixture.handle(refuse)

    const { body } = await execute({ ratePerSecond: 5 })
    const ended = await fixture.ended(body['replayId'])

    expect(ended).toMatchObject({ state: 'stopped', problem: { code: 'too-many-returned' } })
    expect(consumer.seen.length).toBeLessThan(40)
    await until(async () => (await fixture.depth()) === 40)
  })
})

describe('a canary', () => {
  it('that comes back dead keeps the rest from being sent, until somebody says otherwise', async () => {
    await fixture.bury(20)
    let isBroken = true
    await using consumer = await fixture.handle(() => (isBroken ? refuse() : done))

    const { body } = await execute({ canary: { count: 3, seconds: 30 } })
    const stopped = await fixture.ended(body['replayId'])
    const seenByThen = consumer.seen.length
    isBroken = false
    const resumed = await fixture.call('POST', `/api/replays/${body['replayId']}/resume`, { skipCanary: true })
    const ended = await fixture.ended(body['replayId'])

    expect(stopped).toMatchObject({ state: 'stopped', counts: { sent: 3 }, problem: { code: 'canary-returned' } })
    expect(seenByThen).toBe(3)
    expect(resumed.status).toBe(200)
    expect(ended).toMatchObject({ state: 'finished', counts: { selected: 20, sent: 20, returned: 3 } })
    await until(async () => (await fixture.depth()) === 3)
  })

  it('that does not come back lets the rest go', async () => {
    await fixture.bury(10)
    await using consumer = await fixture.handle(() => done)

    const { body } = await execute({ canary: { count: 2, seconds: 0.5 } })

    expect(await fixture.ended(body['replayId'])).toMatchObject({ state: 'finished', counts: { sent: 10, returned: 0 } })
    expect(consumer.seen).toHaveLength(10)
  })
})

describe('a dead queue', () => {
  it('has one replay at a time, and whoever comes second is told who runs the first', async () => {
    await fixture.bury(30)
    const { body: first } = await replay({ execute: true, yes: true, ratePerSecond: 0.5 }, { 'gatehouse-actor': 'anna' })

    const second = await execute({})
    const discard = await fixture.call('POST', '/api/deadLetters/discard', { reason: 'x', execute: true, yes: true })
    await fixture.call('POST', `/api/replays/${first['replayId']}/stop`)

    const detail = expect.stringContaining(`Replay ${first['replayId']} of api (anna) runs`)
    expect(second).toMatchObject({ status: 409, body: { code: 'replay-running', detail } })
    expect(discard).toMatchObject({ status: 409, body: { code: 'replay-running', detail } })
  })
})

describe('a replay that is stopped', () => {
  it('sends no more, and goes on where it was when it is resumed', async () => {
    await fixture.bury(30)
    await using consumer = await fixture.handle(() => done)
    const { body } = await execute({ ratePerSecond: 5 })
    await until(() => consumer.seen.length >= 3)

    const stopped = await fixture.call('POST', `/api/replays/${body['replayId']}/stop`, undefined, { 'gatehouse-actor': 'bea' })
    await fixture.stopReplayer()
    const sent = consumer.seen.length
    fixture.startReplayer()
    const resumed = await fixture.call('POST', `/api/replays/${body['replayId']}/resume`)
    const ended = await fixture.ended(body['replayId'])

    expect(stopped.body).toMatchObject({ state: 'stopped', problem: { code: 'asked', message: 'api (bea) has stopped it' } })
    expect(sent).toBeLessThan(30)
    expect(resumed.status).toBe(200)
    expect(ended).toMatchObject({ state: 'finished', counts: { selected: 30, sent: 30 } })
    expect(new Set(consumer.seen.map(({ messageId }) => messageId)).size).toBe(30)
  })

  it('can only be resumed once, and only if it exists', async () => {
    await fixture.bury(1)
    await using _consumer = await fixture.handle(() => done)
    const { body } = await execute({})
    await fixture.ended(body['replayId'])

    expect(await fixture.call('POST', `/api/replays/${body['replayId']}/resume`)).toMatchObject({
      status: 409,
      body: { code: 'not-stopped', detail: 'The replay is finished' },
    })
    expect((await fixture.call('POST', `/api/replays/${randomUUID()}/resume`)).status).toBe(404)
    expect((await fixture.call('POST', `/api/replays/${randomUUID()}/stop`)).status).toBe(404)
    expect((await fixture.call('GET', `/api/replays/${randomUUID()}`)).status).toBe(404)
  })
})

it('goes on when the copy of control that ran it has stopped', async () => {
  await fixture.bury(20)
  await using consumer = await fixture.handle(() => done)
  const { body } = await execute({ ratePerSecond: 10 })
  await until(() => consumer.seen.length >= 2)
  await fixture.stopReplayer()
  expect((await fixture.call('GET', `/api/replays/${body['replayId']}`)).body).toMatchObject({ state: 'running' })

  fixture.startReplayer()

  expect(await fixture.ended(body['replayId'])).toMatchObject({ state: 'finished', counts: { selected: 20, sent: 20 } })
  expect(new Set(consumer.seen.map(({ messageId }) => messageId)).size).toBe(20)
})
