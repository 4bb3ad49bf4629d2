import { randomUUID } from 'node:crypto'
import { done } from '@gatehouse/messages'
import { describe, expect, it } from 'vitest'
import { until } from '../../../test/environment/until.ts'
import { type DeadLetterFixture, useDeadLetters } from './dead-letter-fixture.ts'

let fixture: DeadLetterFixture
useDeadLetters((started) => {
  fixture = started
})

const JUNK = { messageId: '', type: '\u001b[2J', content: Buffer.from([0xff, 0xfe, 0x00]) }

describe('the list of dead letters', () => {
  it('groups them by what they have in common, whoever put them there', async () => {
    const [first] = await fixture.bury(3)
    await fixture.bury(1, { 'gh-error-code': 'mailbox-unknown', 'gh-dead-at': '2026-11-26T11:00:00.000Z' })
    await fixture.buryRaw(JUNK)

    const { status, body } = await fixture.call('GET', '/api/deadLetters/groups')

    expect(status).toBe(200)
    expect(body).toMatchObject({ matched: 5, total: 5 })
    expect(body.value).toHaveLength(3)
    expect(body.value[0]).toEqual({
      service: 'notification',
      errorClass: 'RetryableError',
      code: 'mail-refused',
      type: 'notification.send-notice',
      count: 3,
      oldest: '2026-11-26T10:00:00.000Z',
      newest: '2026-11-26T10:00:00.000Z',
      sample: { id: first, errorMessage: 'The server does not want it', attempts: 8 },
    })
    expect(body.value.at(-1)).toMatchObject({ count: 1, code: expect.any(String) })
  })

  it('shows those that satisfy every part of a filter', async () => {
    const [old] = await fixture.bury(1, { 'gh-dead-at': '2026-11-01T00:00:00.000Z' })
    const [young] = await fixture.bury(1)
    const idsOf = async (query: string) =>
      (await fixture.call('GET', `/api/deadLetters?${query}`)).body.value.map((letter) => letter['messageId'])

    expect(await idsOf('deadBefore=2026-11-10T00:00:00Z')).toEqual([old])
    expect(await idsOf('deadAfter=2026-11-10T00:00:00Z&code=mail-refused')).toEqual([young])
    expect(await idsOf('code=attempts-exhausted')).toEqual([old, young])
    expect(await idsOf(`ids=${old},${randomUUID()}`)).toEqual([old])
    expect(await idsOf('service=discovery')).toEqual([])
    expect(await idsOf('type=mailbox.decided')).toEqual([])
    expect(await idsOf(`mailboxId=${randomUUID()}`)).toEqual([])
    expect((await fixture.call('GET', '/api/deadLetters?colour=red')).status).toBe(400)
  })

  it('shows one whole, with its history', async () => {
    const [id] = await fixture.bury(1)

    const { body } = await fixture.call('GET', `/api/deadLetters/${id}`)

    expect(body).toMatchObject({
      messageId: id,
      body: { type: 'notification.send-notice', messageId: id },
      headers: { 'gh-reason': 'attempts-exhausted' },
      history: [
        { what: 'published to gh.commands as bulk.notification.send-notice.v1' },
        { what: 'died in gh.notification at attempt 8: attempts-exhausted: The server does not want it' },
      ],
    })
    expect((await fixture.call('GET', `/api/deadLetters/${randomUUID()}`)).status).toBe(404)
  })
})

describe('discarding', () => {
  it('does nothing but show without being told to execute, and needs to be told which', async () => {
    await fixture.bury(2)

    const shown = await fixture.call('POST', '/api/deadLetters/discard', { reason: 'test' })
    const bare = await fixture.call('POST', '/api/deadLetters/discard', { reason: 'test', execute: true })
    const stale = await fixture.call('POST', '/api/deadLetters/discard', { reason: 'x', execute: true, hash: '0'.repeat(16) })

    expect(shown).toMatchObject({ status: 200, body: { count: 2, hash: expect.stringMatching(/^[0-9a-f]{16}$/) } })
    expect(bare).toMatchObject({ status: 409, body: { code: 'hash-needed' } })
    expect(stale).toMatchObject({
      status: 409,
      body: { code: 'selection-changed', present: { count: 2, hash: shown.body['hash'] } },
    })
    expect(await fixture.depth()).toBe(2)
  })

  it('moves letters into the archive with the reason, from where they can be restored as they were', async () => {
    const [kept] = await fixture.bury(1, { 'gh-error-code': 'other' })
    const [gone] = await fixture.bury(1)
    await fixture.buryRaw(JUNK)
    const before = await fixture.callText('GET', '/api/deadLetters/export')
    const { body: plan } = await fixture.call('POST', '/api/deadLetters/discard', { reason: 'not wanted' })

    const discarded = await fixture.call(
      'POST',
      '/api/deadLetters/discard',
      { reason: 'not wanted', execute: true, hash: plan['hash'] },
      { 'gatehouse-actor': 'anna' },
    )
    const left = await fixture.depth()
    const archive = await fixture.call('GET', '/api/deadLetters/archive')
    const ids = archive.body.value.map((row) => row['id'])
    const restored = await fixture.call('POST', '/api/deadLetters/restore', { ids: [...ids, 'nobody'] })

    expect(discarded).toMatchObject({ status: 200, body: { discarded: 3 } })
    expect(left).toBe(0)
    expect(archive.body.value).toHaveLength(3)
    expect(archive.body.value.map((row) => row['messageId'])).toEqual(expect.arrayContaining([kept, gone]))
    expect(archive.body.value[0]).toMatchObject({ reason: 'not wanted', discardedBy: 'api (anna)', restoredAt: null })
    expect(restored).toMatchObject({ status: 200, body: { restored: 3, unknown: ['nobody'] } })
    await until(async () => (await fixture.depth()) === 3)
    const after = await fixture.callText('GET', '/api/deadLetters/export')
    const lines = (text: string) => text.trim().split('\n').toSorted()
    expect(lines(after.text).map((line) => JSON.parse(line).body ?? JSON.parse(line).base64)).toEqual(
      lines(before.text).map((line) => JSON.parse(line).body ?? JSON.parse(line).base64),
    )
  })

  it('is recorded with who, why, which and how many', async () => {
    await fixture.bury(2)
    const filter = { code: 'mail-refused' }

    await fixture.call('POST', '/api/deadLetters/discard', { filter, reason: 'test', execute: true, yes: true })

    const { body } = await fixture.call('GET', '/api/deadLetters/actions')
    expect(body.value).toMatchObject([
      { action: 'discard', queue: 'notification', actor: 'api', detail: { filter, reason: 'test', selected: 2, discarded: 2 } },
    ])
  })
})

describe('export and import', () => {
  it('carry letters out and back in, byte for byte', async () => {
    await fixture.bury(2)
    await fixture.buryRaw(JUNK)

    const { text } = await fixture.callText('GET', '/api/deadLetters/export')
    await fixture.vhost.purge('gh.notification.dead')
    const imported = await fixture.call('POST', '/api/deadLetters/import', text)

    expect(text.trim().split('\n')).toHaveLength(3)
    expect(imported).toEqual({ status: 200, body: { imported: 3 } })
    await until(async () => (await fixture.depth()) === 3)
    const again = await fixture.callText('GET', '/api/deadLetters/export')
    expect(again.text.split('\n').toSorted()).toEqual(text.split('\n').toSorted())
  })

  it('name the line that is wrong and import nothing', async () => {
    const good = JSON.stringify({ service: 'notification', messageId: 'm', type: 'x', headers: {}, body: '{}' })
    const wrong = JSON.stringify({ service: 'nobody', messageId: 'm', type: 'x', headers: {}, body: '{}' })

    const refused = await fixture.call('POST', '/api/deadLetters/import', `${good}\n\n${wrong}\n`)
    const noJson = await fixture.call('POST', '/api/deadLetters/import', `${good}\n{\n`)

    expect(refused).toMatchObject({
      status: 400,
      body: { detail: expect.stringMatching(/^Line 3: service: .*nothing was imported/) },
    })
    expect(noJson).toMatchObject({ status: 400, body: { detail: expect.stringMatching(/^Line 2: it is not JSON/) } })
    expect(await fixture.depth()).toBe(0)
  })
})

describe('an edit', () => {
  const edit = (id: string | undefined, patch: unknown) => fixture.call('POST', `/api/deadLetters/${id}/edit`, { patch })

  it('makes a new message with a link to the old one, which is archived', async () => {
    const [id] = await fixture.bury(1)
    const noticeId = randomUUID()

    const edited = await edit(id, [{ op: 'replace', path: '/noticeId', value: noticeId }])

    expect(edited).toMatchObject({ status: 200, body: { editedFrom: id, body: { noticeId } } })
    expect(edited.body['messageId']).not.toBe(id)
    await until(async () => (await fixture.depth()) === 1)
    const shown = await fixture.call('GET', `/api/deadLetters/${edited.body['messageId']}`)
    expect(shown.body).toMatchObject({ editedFrom: id, body: { noticeId, messageId: edited.body['messageId'] } })
    const archive = await fixture.call('GET', '/api/deadLetters/archive')
    expect(archive.body.value).toMatchObject([{ messageId: id, reason: `edited: it is ${edited.body['messageId']} now` }])
  })

  it.each([
    ['an unknown operation', 400, [{ op: 'shout', path: '/noticeId' }]],
    ['an unknown place', 409, [{ op: 'replace', path: '/colour', value: 1 }]],
    ['a failed test', 409, [{ op: 'test', path: '/noticeId', value: 1 }]],
    ['a result that the schema refuses', 409, [{ op: 'replace', path: '/noticeId', value: 'x' }]],
    ['another whole', 409, [{ op: 'replace', path: '', value: {} }]],
    ['a way into what all objects share', 400, [{ op: 'add', path: '/__proto__/polluted', value: 1 }]],
  ])('is refused for %s, and nothing has happened', async (_what, status, patch) => {
    const [id] = await fixture.bury(1)

    const refused = await edit(id, patch)

    expect(refused.status).toBe(status)
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined()
    expect((await fixture.call('GET', `/api/deadLetters/${id}`)).status).toBe(200)
    expect((await fixture.call('GET', '/api/deadLetters/archive')).body.value).toEqual([])
  })

  it('cannot be made of what is not JSON, and not of what is not there', async () => {
    await fixture.buryRaw({ ...JUNK, messageId: 'junk' })

    expect(await edit('junk', [{ op: 'remove', path: '/a' }])).toMatchObject({ status: 409, body: { code: 'not-json' } })
    expect((await edit(randomUUID(), [{ op: 'remove', path: '/a' }])).status).toBe(404)
  })

  it('can be replayed, and is handled once', async () => {
    const [id] = await fixture.bury(1)
    const { body } = await edit(id, [{ op: 'replace', path: '/noticeId', value: randomUUID() }])
    await until(async () => (await fixture.depth()) === 1)
    await using consumer = await fixture.handle(() => done)

    const filter = { ids: [body['messageId']] }
    const { body: started } = await fixture.call('POST', '/api/deadLetters/replay', { filter, execute: true, yes: true })

    expect(await fixture.ended(started['replayId'])).toMatchObject({ state: 'finished', counts: { sent: 1, returned: 0 } })
    expect(consumer.seen.map(({ messageId }) => messageId)).toEqual([body['messageId']])
  })
})
