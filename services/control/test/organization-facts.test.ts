import { randomUUID } from 'node:crypto'
import { readOrganizationFacts } from '@gatehouse/store'
import { Registry } from '@gatehouse/worker'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { createOrganizationMetrics, type FactsRead } from '../src/status/create-organization-metrics.ts'
import { startFactsWatch } from '../src/status/start-facts-watch.ts'
import { writeSettings } from '../src/write-settings.ts'
import { type Fixture, insertMailbox, ORGANIZATION, startFixture } from './control-fixture.ts'

let fixture: Fixture
beforeAll(async () => {
  fixture = await startFixture()
})
afterAll(() => fixture[Symbol.asyncDispose]())
beforeEach(async () => {
  await fixture.clear()
  await writeSettings(fixture.createDeps())
})

async function addRun(o: { syncType: string; status: string; startedAgoS: number; finishedAgoS?: number }): Promise<string> {
  const id = randomUUID()
  await fixture.store.pool.query(
    `insert into sync_runs (id, organization_id, sync_type, cause, status, brake, brake_limit, started_at, finished_at)
     values ($1, $2, $3, 'test', $4, 'released', 20, now() - $5 * interval '1 second', now() - $6::int * interval '1 second')`,
    [id, ORGANIZATION, o.syncType, o.status, o.startedAgoS, o.finishedAgoS ?? null],
  )
  return id
}

it('reads decisions that wait, those that were given up, and not those of a run that failed', async () => {
  const { store } = fixture
  const run = await addRun({ syncType: 'fullSync', status: 'running', startedAgoS: 60 })
  const failed = await addRun({ syncType: 'fullSync', status: 'failed', startedAgoS: 600, finishedAgoS: 500 })
  await insertMailbox(store, { runId: run, decided: {}, enforced: {} })
  await insertMailbox(store, { runId: run, decided: {}, enforced: { outcome: 'failed' } })
  await insertMailbox(store, { runId: failed, decided: {} })
  await insertMailbox(store, { runId: run, decided: { version: 2 }, enforced: { version: 1 } })
  const waiting = await insertMailbox(store, { runId: run, decided: {} })
  await store.pool.query(`update mailbox_decisions set decided_at = now() - interval '2 hours' where mailbox_id = $1`, [
    waiting.mailboxId,
  ])

  const [facts] = await readOrganizationFacts(store.db)

  expect(facts).toMatchObject({ decisions_waiting: 2, mailboxes_failed: 1, report_only: false })
  expect(facts?.oldest_decision_s).toBeGreaterThanOrEqual(7_200)
})

it('reads the newest run of each type, what is held, and how long ago a sync succeeded', async () => {
  const { store } = fixture
  await addRun({ syncType: 'fullSync', status: 'succeeded', startedAgoS: 9_000, finishedAgoS: 8_940 })
  await addRun({ syncType: 'fullSync', status: 'held', startedAgoS: 600 })
  await addRun({ syncType: 'deltaSync', status: 'failed', startedAgoS: 300, finishedAgoS: 290 })
  await store.pool.query(
    `update connectors set status = 'connected', last_full_sync_at = now() - interval '100 seconds', last_delta_sync_at = now() - interval '900 seconds'`,
  )

  const [facts] = await readOrganizationFacts(store.db)

  expect(facts).toMatchObject({ held_runs: 1, connector_status: 'connected' })
  expect(facts?.last_runs.map(({ sync_type, status }) => `${sync_type} ${status}`)).toEqual([
    'fullSync held',
    'deltaSync failed',
  ])
  expect(facts?.last_runs[1]?.took_s).toBeCloseTo(10, 0)
  // A full sync does what a quick one does.
  expect(facts?.delta_sync_age_s).toBeCloseTo(100, -1)
  expect(facts?.full_sync_age_s).toBeCloseTo(100, -1)
})

it('reads notices that wait and shells that are leased', async () => {
  const { store } = fixture
  const insert = (state: string, sentAgoS: number | null) =>
    store.pool.query(
      `insert into notices (id, key, organization_id, recipient, locale, template, variables, state, created_at, sent_at)
       values ($1, $2, $3, 'a@b.c', 'en', 'block', '{}', $4, now() - interval '1 hour', now() - $5::int * interval '1 second')`,
      [randomUUID(), randomUUID(), ORGANIZATION, state, sentAgoS],
    )
  await insert('pending', null)
  await insert('sending', 30)
  await insert('suppressed', null)
  await insert('sent', 30)
  await insert('failed', null)
  const lease = (expires: string) =>
    store.pool.query(`insert into runspace_leases values ($1, $2, 'somebody', null, now(), now() + $3::interval)`, [
      randomUUID(),
      `${ORGANIZATION}:svc`,
      expires,
    ])
  await lease('1 minute')
  await lease('-1 minute')

  const [facts] = await readOrganizationFacts(store.db)
  await store.pool.query('delete from runspace_leases')

  expect(facts).toMatchObject({ notices_waiting: 2, leases: 1 })
  expect(facts?.oldest_notice_s).toBeGreaterThanOrEqual(3_600)
})

it('shows Prometheus what was read, and lets ages go on while nothing can be read', async () => {
  await insertMailbox(fixture.store, { decided: {} })
  const registry = new Registry()
  const first = Promise.withResolvers<FactsRead>()
  let nowMs = 1_000_000
  await using _watch = startFactsWatch({
    db: fixture.store.db,
    log: { warn() {} },
    nowMs: () => nowMs,
    set: (read) => first.resolve(read),
  })
  const read = await first.promise
  createOrganizationMetrics(registry, {
    organizations: [{ id: ORGANIZATION, name: 'contoso', leasesMax: 15 }],
    intervals: { fullSync: 86_400, deltaSync: 900 },
    read: () => read,
    nowMs: () => nowMs,
  })

  nowMs += 600_000
  const text = await registry.metrics()

  expect(text).toContain('gatehouse_decisions_waiting{organization="contoso"} 1')
  expect(text).toContain('gatehouse_devices{organization="contoso",access_state="quarantined"} 1')
  expect(text).toContain('gatehouse_devices{organization="contoso",access_state="blocked"} 0')
  expect(text).toContain('gatehouse_connector_status{organization="contoso",status="none"} 1')
  expect(text).toContain('gatehouse_facts_age_seconds 600')
  const age = Number(/gatehouse_oldest_decision_seconds\{organization="contoso"\} (\S+)/.exec(text)?.[1])
  expect(age).toBeGreaterThan(600)
  expect(age).toBeLessThan(700)
})
