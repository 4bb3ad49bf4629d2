import { randomUUID } from 'node:crypto'
import { storeWorkerState } from '@gatehouse/store'
import { WORKER_STATE_VERSION } from '@gatehouse/worker'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { ApiDeps } from '../src/api/api-deps.ts'
import { startApi } from '../src/api/start-api.ts'
import type { QueueDepths } from '../src/status/queue-depths.ts'
import { writeSettings } from '../src/write-settings.ts'
import { type Fixture, insertMailbox, ORGANIZATION, startFixture } from './control-fixture.ts'

const signal = AbortSignal.timeout(120_000)
const TOKEN = 'a-token-of-the-test'
/** They have tests of their own, with a broker. */
const NO_DEAD_LETTERS = {} as ApiDeps['deadLetters']
let fixture: Fixture
let depths: QueueDepths | undefined
let tokens = [TOKEN]
let api: Awaited<ReturnType<typeof startApi>>

beforeAll(async () => {
  fixture = await startFixture()
  const readDepths: ApiDeps['readDepths'] = () =>
    depths === undefined ? Promise.reject(new Error('RabbitMQ is away')) : Promise.resolve(depths)
  const parts = { deadLetters: NO_DEAD_LETTERS, readDepths, wake: () => {}, wakeReplayer: () => {} }
  const deps = { ...fixture.createDeps(), ...parts, signal }
  api = await startApi({ host: '127.0.0.1', port: 0, readTokens: () => tokens }, deps)
})
afterAll(async () => {
  await api?.[Symbol.asyncDispose]()
  await fixture?.[Symbol.asyncDispose]()
})
beforeEach(async () => {
  await fixture.clear()
  await writeSettings(fixture.createDeps())
})

async function call(method: 'GET' | 'POST' | 'OPTIONS', path: string, body?: unknown, token: string | undefined = TOKEN) {
  const answer = await fetch(`${api.url}${path}`, {
    method,
    headers: {
      origin: 'https://evil.example',
      connection: 'close',
      ...(token === '' ? {} : { authorization: `Bearer ${token}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  })
  // biome-ignore lint/suspicious/noExplicitAny: answers of many shapes, compared field by field below
  return { status: answer.status, headers: Object.fromEntries(answer.headers), body: (await answer.json()) as any }
}

describe('access to the API', () => {
  it('lets the old token and the new one in while one is changed', async () => {
    tokens = ['the-new-one', TOKEN]
    const both = [await call('GET', '/api/devices'), await call('GET', '/api/devices', undefined, 'the-new-one')]
    tokens = ['the-new-one']
    const old = await call('GET', '/api/devices')
    tokens = [TOKEN]

    expect([...both, old].map(({ status }) => status)).toEqual([200, 200, 401])
  })

  it('needs the token for everything but health, and lets no page of another origin in', async () => {
    const answers = [
      await call('GET', '/api/health', undefined, ''),
      await call('GET', '/api/devices', undefined, ''),
      await call('GET', '/api/devices', undefined, 'wrong'),
      await call('GET', '/api/nothing', undefined, ''),
      await call('GET', '/api/devices'),
      await call('GET', '/api/nothing'),
    ]

    expect(answers.map((answer) => answer.status)).toEqual([200, 401, 401, 401, 200, 404])
    expect(answers[1]?.headers['content-type']).toContain('application/problem+json')
    for (const { headers } of answers) expect(headers['access-control-allow-origin']).toBeUndefined()
  })

  it('answers a problem for what it cannot read', async () => {
    const answers = [
      await call('POST', '/api/syncs', { syncType: 'everything' }),
      await call('POST', '/api/syncs', { syncType: 'fullSync', typo: 1 }),
      await call('POST', '/api/syncs', '{'),
      await call('GET', '/api/devices?top=0'),
      await call('GET', "/api/devices/1'or'1/why"),
      await call('GET', `/api/devices/${randomUUID()}/why`),
      await call('POST', '/api/syncs', { syncType: 'fullSync', organization: 'nobody' }),
    ]

    expect(answers.map((answer) => answer.status)).toEqual([400, 400, 400, 400, 400, 404, 404])
    for (const answer of answers) expect(answer.body).toMatchObject({ type: 'about:blank', status: answer.status })
    expect(answers[0]?.body.detail).toContain('syncType')
  })
})

describe('syncs', () => {
  it('are started for one connector or for all, followed and confirmed', async () => {
    const connectors = await call('GET', '/api/exchangeConnectors')
    const started = await call('POST', `/api/exchangeConnectors/${ORGANIZATION}/sync`, { syncType: 'fullSync' })
    const all = await call('POST', '/api/syncs', { syncType: 'fullSync', confirmed: true, organization: 'CONTOSO' })
    const run = await call('GET', `/api/syncRuns/${started.body.syncRunId}`)
    const again = await call('POST', `/api/syncRuns/${started.body.syncRunId}/confirm`, {})

    expect(connectors.body.value).toMatchObject([
      { id: ORGANIZATION, exchangeOrganization: 'contoso', status: 'none', reportOnly: false },
    ])
    expect([started.status, all.status, again.status]).toEqual([202, 202, 200])
    expect(all.body.value).toMatchObject([{ syncRunId: started.body.syncRunId }])
    expect(run.body).toMatchObject({
      status: 'running',
      brake: 'confirmed',
      confirmedBy: 'api',
      cause: 'manual',
      counts: {},
      problem: null,
    })
    expect((await call('GET', '/api/syncRuns?top=5')).body.value).toHaveLength(1)
  })

  it('have a switch for report-only mode, and it is audited', async () => {
    const answer = await call('POST', `/api/organizations/${ORGANIZATION}/reportOnly`, { reportOnly: true })

    expect(answer.body).toMatchObject({ name: 'contoso', reportOnly: true })
    expect((await call('GET', '/api/organizations')).body.value).toMatchObject([{ reportOnly: true }])
    expect(
      await fixture.store.db.selectFrom('audit').selectAll().where('action', '=', 'organization.report-only').execute(),
    ).toMatchObject([{ actor: 'api', subject: ORGANIZATION, detail: { reportOnly: true } }])
  })
})

describe('devices', () => {
  it('show the state that follows from what was read and what was written since', async () => {
    const quarantined = await insertMailbox(fixture.store, {})
    const blocked = await insertMailbox(fixture.store, { decided: {} })
    const deviceId = `dev${blocked.mailboxId.slice(0, 8)}`
    await fixture.store.db
      .insertInto('access_changes')
      .values({
        id: randomUUID(),
        organization_id: ORGANIZATION,
        mailbox_id: blocked.mailboxId,
        decision_version: 1,
        state: 'written',
        plan: JSON.stringify({ allowAdd: [], allowRemove: [], blockAdd: [deviceId], blockRemove: [] }),
        cmdlet: 'Set-CASMailbox',
        old_allowed: [],
        old_blocked: [],
        new_allowed: [],
        new_blocked: [deviceId],
        written_at: new Date(),
        duration_ms: 9,
      })
      .execute()
    await fixture.store.db
      .insertInto('own_exemptions')
      .values({
        mailbox_id: blocked.mailboxId,
        device_id_key: deviceId,
        list: 'block',
        device_id: deviceId,
        change_id: randomUUID(),
        created_at: new Date(),
      })
      .execute()

    const page = await call('GET', '/api/devices')
    const filtered = await call('GET', '/api/devices?exchangeAccessState=blocked')
    const why = await call('GET', `/api/devices/${blocked.partnershipId}/why`)

    const byId = new Map(page.body.value.map((device: { id: string }) => [device.id, device]))
    expect(page.body.count).toBe(2)
    expect(byId.get(quarantined.partnershipId)).toMatchObject({
      exchangeAccessState: 'quarantined',
      exchangeAccessStateReason: 'exchangeGlobalRule',
      access: null,
      isInBlockedList: false,
    })
    expect(filtered.body).toMatchObject({
      count: 1,
      value: [
        {
          id: blocked.partnershipId,
          exchangeAccessState: 'blocked',
          exchangeAccessStateReason: 'notCompliant',
          access: 'block',
          reason: 'noncompliant',
          isOwnEntry: true,
        },
      ],
    })
    expect(why.body.changes).toMatchObject([{ oldBlocked: [], newBlocked: [deviceId], cmdlet: 'Set-CASMailbox' }])
    expect(why.body.story.join('\n')).toContain(`blocked [] → [${deviceId}]`)
    expect(why.body.nextSteps.length).toBeGreaterThan(0)
  })

  it("tell an administrator's entry from ours in the other list", async () => {
    const mailbox = await insertMailbox(fixture.store, {})
    const deviceId = `dev${mailbox.mailboxId.slice(0, 8)}`
    await fixture.store.db
      .updateTable('mailboxes')
      .set({ blocked_device_ids: [deviceId] })
      .where('id', '=', mailbox.mailboxId)
      .execute()
    await fixture.store.db
      .insertInto('own_exemptions')
      .values({
        mailbox_id: mailbox.mailboxId,
        device_id_key: deviceId,
        list: 'allow',
        device_id: deviceId,
        change_id: randomUUID(),
        created_at: new Date(),
      })
      .execute()

    const { body } = await call('GET', `/api/devices/${mailbox.partnershipId}/why`)

    expect(body.story.join('\n')).toContain("in the blocked list of its mailbox; the entry is an administrator's")
  })

  it('are found by any of their names, taken literally', async () => {
    const { mailboxId, partnershipId } = await insertMailbox(fixture.store, {})
    const count = async (search: string) => (await call('GET', `/api/devices?search=${encodeURIComponent(search)}`)).body.count

    expect(await count(`${mailboxId.toUpperCase()}@contoso`)).toBe(1)
    expect(await count(partnershipId)).toBe(1)
    expect(await count('100%_zoé')).toBe(1)
    expect(await count("Robert'); drop table audit; --")).toBe(1)
    expect(await count('100__Zo')).toBe(0)
    expect(await count('%')).toBe(1)
    expect(await count('\\')).toBe(0)
  })

  it('are counted by decision', async () => {
    await insertMailbox(fixture.store, { decided: {} })
    await insertMailbox(fixture.store, { decided: {} })

    expect((await call('GET', '/api/decisions')).body).toEqual({
      value: [{ access: 'block', reason: 'noncompliant', count: 2 }],
      byAccess: { block: 2 },
      byReason: { noncompliant: 2 },
    })
    expect((await call('GET', '/api/accessChanges')).body).toEqual({ value: [] })
    expect((await call('GET', '/api/notices')).body).toEqual({ value: [] })
  })
})

describe('the status', () => {
  const busy = {
    version: WORKER_STATE_VERSION,
    broker: { state: 'ready', blockedMs: 0, unconfirmed: 0, toPublish: 0, refused: 0 },
    consumer: {
      service: 'enforcement',
      running: 12,
      waiting: 6,
      subscribed: 4,
      limit: 72,
      ceiling: 72,
      handled: 9,
      handledPerSecond: 6,
    },
    resources: [
      { name: 'contoso', unit: 'runspaces', slots: 12, open: 12, busy: 12, queued: 60, call: 'Set-CASMailbox', secondsEach: 2 },
    ],
  }

  it('says what waits where, and what holds it up', async () => {
    depths = new Map([
      ['gh.enforcement', 18_222],
      ['gh.enforcement.urgent', 0],
      ['gh.unrouted', 2],
    ])
    await storeWorkerState(fixture.store.pool, {
      holder: 'host - 1 enforcement',
      worker: 'enforcement',
      startedAt: new Date(),
      state: busy,
    })

    const { status, body } = await call('GET', '/api/status')

    expect(status).toBe(200)
    expect(body).toMatchObject({ unrouted: 2, ladder: null })
    const { holds, services } = body as { holds: string[]; services: { service: string; bulk: number; inHand: number }[] }
    expect(services.find((one) => one.service === 'enforcement')).toMatchObject({
      copies: 1,
      bulk: 18_222,
      inHand: 18,
      limit: 72,
    })
    expect(holds).toContain(
      'enforcement: 18,240 mailboxes wait; 12 of 12 runspaces are busy; Set-CASMailbox takes 2.0 s; at this rate 51 min',
    )
    expect(holds[0]).toMatch(/^2 messages in gh.unrouted/)
  })

  it('can still be read when RabbitMQ cannot be asked', async () => {
    depths = undefined

    const { status, body } = await call('GET', '/api/status')

    expect(status).toBe(200)
    expect((body as { holds: string[] }).holds[0]).toBe('RabbitMQ does not answer: how much waits is not known')
  })
})
