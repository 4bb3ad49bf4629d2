import { randomUUID } from 'node:crypto'
import type { SyncProgressed } from '@gatehouse/messages'
import { readConnectors, readRun, setReportOnly } from '@gatehouse/store'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { confirmRun } from '../src/confirm-run.ts'
import type { ControlDeps } from '../src/control-deps.ts'
import { evaluateRun } from '../src/evaluate-run.ts'
import { handleSyncProgressed } from '../src/handle-sync-progressed.ts'
import { requestLostRuns } from '../src/request-lost-runs.ts'
import { scheduleCause } from '../src/start-scheduler.ts'
import { publishMissingCommands, startSync, startSyncs } from '../src/start-sync.ts'
import { LADDER_QUEUES, measuredQueues } from '../src/status/queue-depths.ts'
import { writeSettings } from '../src/write-settings.ts'
import { type Fixture, insertMailbox, ORGANIZATION, startFixture } from './control-fixture.ts'

const signal = AbortSignal.timeout(120_000)
let fixture: Fixture
beforeAll(async () => {
  fixture = await startFixture()
})
afterAll(() => fixture?.[Symbol.asyncDispose]())
beforeEach(() => fixture.clear())

const full = { organizationId: ORGANIZATION, syncType: 'fullSync', cause: 'manual' } as const
const typesOf = () => fixture.published.map((one) => one.type).sort()
const progress = (syncRunId: string, stage: SyncProgressed['stage'], more: Partial<SyncProgressed> = {}): SyncProgressed => ({
  type: 'sync.progressed',
  version: 1,
  messageId: randomUUID(),
  at: new Date().toISOString(),
  syncRunId,
  stage,
  counts: {},
  ...more,
})
async function begin(options: Parameters<Fixture['createDeps']>[0] = {}): Promise<ControlDeps> {
  const deps = fixture.createDeps(options)
  await writeSettings(deps)
  return deps
}
async function bothRead(id: string, deps: ControlDeps): Promise<void> {
  await handleSyncProgressed(progress(id, 'discovered', { organizationId: ORGANIZATION }), deps)
  await handleSyncProgressed(progress(id, 'looked-up'), deps)
}
const stateOf = async (id: string) => await readRun(fixture.store.db, id)

describe('writing the settings', () => {
  it('makes the same of two copies that start at once as of one, and changes nothing the second time', async () => {
    const versions = await Promise.all([writeSettings(fixture.createDeps()), writeSettings(fixture.createDeps())])
    const again = await writeSettings(fixture.createDeps())

    const { rows } = await fixture.store.pool.query(
      `select (select count(*)::int from organizations) as organizations, (select count(*)::int from policies) as policies,
       (select count(*)::int from platform_exceptions) as exceptions, (select count(*)::int from message_templates) as templates,
       (select count(*)::int from sync_runs) as runs`,
    )
    expect(versions.filter((version) => version === 1)).toHaveLength(1)
    expect(again).toBeUndefined()
    expect(rows[0]).toEqual({ organizations: 1, policies: 1, exceptions: 1, templates: 1, runs: 0 })
    expect(await readConnectors(fixture.store.db)).toMatchObject([{ epoch: 1, status: 'none', name: 'contoso' }])
  })

  it('appends a policy that differs and syncs every organisation for it, also when it dies before it could say so', async () => {
    await begin()
    const deps = fixture.createDeps({ groups: [randomUUID()] })

    const version = await writeSettings(deps)
    await publishMissingCommands({ ...deps, now: () => new Date(Date.now() + 1_000) }, 0, signal)
    await publishMissingCommands({ ...deps, now: () => new Date(Date.now() + 1_000) }, 0, signal)

    expect(version).toBe(2)
    expect(typesOf()).toEqual([
      'compliance-lookup.refresh',
      'discovery.sync',
      'enforcement.reconcile-organization',
      'policy.changed',
    ])
  })

  it('keeps report-only mode as the API left it, until the setting itself changes', async () => {
    await begin({ reportOnly: true })
    await setReportOnly(fixture.store.db, ORGANIZATION, false)
    const read = async () => (await readConnectors(fixture.store.db))[0]?.report_only

    await begin({ reportOnly: true })
    const afterRestart = await read()
    await begin({ reportOnly: false })
    await setReportOnly(fixture.store.db, ORGANIZATION, true)
    await begin({ reportOnly: true })
    const afterChange = await read()

    expect([afterRestart, afterChange]).toEqual([false, true])
  })

  it('retires the connector of an organisation that is gone from the settings', async () => {
    await begin({ organizations: ['contoso', 'fabrikam'] })
    await fixture.store.db.updateTable('connectors').set({ status: 'connected' }).execute()

    await begin()

    expect((await readConnectors(fixture.store.db)).map((one) => [one.name, one.status])).toEqual([
      ['contoso', 'connected'],
      ['fabrikam', 'none'],
    ])
  })
})

describe('starting a sync', () => {
  it('publishes the commands of a new run, and answers the run that is under way instead of a second one', async () => {
    const deps = await begin()

    const runs = await Promise.all([startSync(full, deps, signal), startSync(full, deps, signal)])
    const quick = await startSync({ ...full, syncType: 'deltaSync' }, deps, signal)

    expect(new Set([...runs, quick].map((run) => run.id)).size).toBe(1)
    expect(typesOf()).toEqual(['compliance-lookup.refresh', 'discovery.sync', 'enforcement.reconcile-organization'])
    expect(await readConnectors(fixture.store.db)).toMatchObject([{ status: 'connectionPending' }])
  })

  it('starts a full sync beside a quick one, which does less', async () => {
    const deps = await begin()

    const quick = await startSync({ ...full, syncType: 'deltaSync' }, deps, signal)
    const whole = await startSync(full, deps, signal)

    expect(whole.id).not.toBe(quick.id)
  })

  it('opens the runs of all organisations before any of them is carried out, and goes on when one cannot be', async () => {
    const deps = await begin({ organizations: ['contoso', 'fabrikam'] })
    const organizations = (await readConnectors(fixture.store.db)).map((one) => one.organization_id)
    const openWhenPublished: number[] = []
    const broker = {
      publish: async () => {
        openWhenPublished.push((await fixture.store.db.selectFrom('sync_runs').select('id').execute()).length)
      },
    }
    const failed: string[] = []
    const requests = [organizations[0] ?? '', 'no-guid', organizations[1] ?? ''].map((organizationId) => ({
      ...full,
      organizationId,
    }))

    const runs = await startSyncs(requests, { ...deps, broker }, (_error, one) => failed.push(one.organizationId), signal)

    expect(runs.map((run) => run.organization_id)).toEqual(organizations)
    expect(new Set(openWhenPublished)).toEqual(new Set([2]))
    expect(failed).toEqual(['no-guid'])
  })

  it('runs once for a moment of the schedule, even when that run has ended before the other copy fires', async () => {
    const deps = await begin()
    const cause = scheduleCause(new Date('2026-11-24T02:00:00.9Z'))

    const first = await startSync({ ...full, cause }, deps, signal)
    await fixture.store.db.updateTable('sync_runs').set({ status: 'succeeded' }).execute()
    const second = await startSync({ ...full, cause: scheduleCause(new Date('2026-11-24T02:00:02.1Z')) }, deps, signal)

    expect(second.id).toBe(first.id)
  })

  it('confirms a run in advance, and audits it', async () => {
    const deps = await begin()

    await startSync(full, deps, signal)
    const run = await startSync({ ...full, confirmedBy: 'api' }, deps, signal)

    const audit = await fixture.store.db.selectFrom('audit').selectAll().where('action', '=', 'sync.confirm').execute()
    expect(await stateOf(run.id)).toMatchObject({ brake: 'confirmed', confirmed_by: 'api' })
    expect(audit).toMatchObject([{ actor: 'api', subject: run.id }])
  })
})

describe('tracking a run', () => {
  it('succeeds when every mailbox is enforced, and says so of the connector', async () => {
    const deps = await begin()
    await fixture.store.pool.query(
      `insert into exchange_servers values ('${ORGANIZATION}', 'mail.contoso.com', 'EX1', 'Version 15.2 (Build 1544.4)', true, now())`,
    )
    const run = await startSync(full, deps, signal)
    await insertMailbox(fixture.store, { runId: run.id, decided: { wouldBlock: 1 }, enforced: {} })
    await insertMailbox(fixture.store, { runId: run.id, decided: {}, enforced: { outcome: 'failed' } })

    await evaluateRun(run.id, deps)
    const before = await stateOf(run.id)
    await bothRead(run.id, deps)
    await evaluateRun(run.id, deps)

    expect(before).toMatchObject({ status: 'running', brake: 'counting' })
    expect(await stateOf(run.id)).toMatchObject({
      status: 'succeeded',
      brake: 'released',
      brake_limit: 20,
      would_block: 1,
      counts: { mailboxes: 2, devices: 2, decided: 2, enforced: 2, written: 1, failed: 1, notices: 0 },
    })
    expect(await readConnectors(fixture.store.db)).toMatchObject([
      { status: 'connected', server_name: 'mail.contoso.com', exchange_version: 'Version 15.2 (Build 1544.4)' },
    ])
    expect((await readConnectors(fixture.store.db))[0]?.last_full_sync_at).toBeInstanceOf(Date)
  })

  it('does not take an enforcement of an older decision for one of the newest', async () => {
    const deps = await begin()
    const run = await startSync(full, deps, signal)
    await insertMailbox(fixture.store, { runId: run.id, decided: { version: 7 }, enforced: { version: 6 } })
    await bothRead(run.id, deps)

    await evaluateRun(run.id, deps)

    expect(await stateOf(run.id)).toMatchObject({ status: 'running', counts: { decided: 1, enforced: 0 } })
  })

  it('counts mailboxes that were decided for the run though Exchange had nothing new about them', async () => {
    const deps = await begin()
    const run = await startSync({ ...full, syncType: 'deltaSync' }, deps, signal)
    for (let count = 0; count < 3; count += 1) {
      await insertMailbox(fixture.store, { decided: { runId: run.id, wouldBlock: 10 } })
    }
    await bothRead(run.id, deps)

    await evaluateRun(run.id, deps)

    expect(await stateOf(run.id)).toMatchObject({ status: 'held', brake: 'held', would_block: 30 })
  })

  it('does not end before the mailboxes that changed at Intune are decided, whatever a repeated look found', async () => {
    const deps = await begin()
    const run = await startSync({ ...full, syncType: 'deltaSync' }, deps, signal)
    await handleSyncProgressed(progress(run.id, 'discovered'), deps)
    await handleSyncProgressed(progress(run.id, 'looked-up', { counts: { changedMailboxes: 2 } }), deps)
    await handleSyncProgressed(progress(run.id, 'looked-up', { counts: { changedMailboxes: 0 } }), deps)
    await insertMailbox(fixture.store, { decided: { runId: run.id }, enforced: {} })
    await evaluateRun(run.id, deps)
    const before = await stateOf(run.id)
    await insertMailbox(fixture.store, { decided: { runId: run.id }, enforced: {} })
    await evaluateRun(run.id, deps)

    expect(before).toMatchObject({ status: 'running', brake: 'counting' })
    expect(await stateOf(run.id)).toMatchObject({
      status: 'succeeded',
      counts: { mailboxes: 2, enforced: 2, changedMailboxes: 2 },
    })
  })

  it('holds, is confirmed by an administrator, goes on; confirming twice or too late changes nothing', async () => {
    const deps = await begin()
    const run = await startSync(full, deps, signal)
    const { mailboxId } = await insertMailbox(fixture.store, { runId: run.id, decided: { wouldBlock: 21 } })
    await bothRead(run.id, deps)
    await evaluateRun(run.id, deps)
    const held = await stateOf(run.id)

    const kinds = [await confirmRun(run.id, 'api', deps), await confirmRun(run.id, 'api', deps)].map((answer) => answer.kind)
    const confirmed = await stateOf(run.id)
    await fixture.store.db
      .insertInto('mailbox_enforcements')
      .values({ mailbox_id: mailboxId, organization_id: ORGANIZATION, decision_version: 1, outcome: 'written', at: new Date() })
      .execute()
    await evaluateRun(run.id, deps)

    expect([held, confirmed, await stateOf(run.id)].map((one) => [one?.status, one?.brake])).toEqual([
      ['held', 'held'],
      ['running', 'confirmed'],
      ['succeeded', 'confirmed'],
    ])
    expect(kinds).toEqual(['confirmed', 'confirmed'])
    expect((await confirmRun(run.id, 'api', deps)).kind).toBe('ended')
    expect((await confirmRun(randomUUID(), 'api', deps)).kind).toBe('unknown')
    expect(await fixture.store.db.selectFrom('audit').selectAll().where('action', '=', 'sync.confirm').execute()).toHaveLength(
      1,
    )
  })

  it('gives the place of a held run to a newer full sync', async () => {
    const deps = await begin()
    const run = await startSync(full, deps, signal)
    await fixture.store.db.updateTable('sync_runs').set({ status: 'held', brake: 'held' }).execute()

    const newer = await startSync(full, deps, signal)

    expect(newer.id).not.toBe(run.id)
    expect(await stateOf(run.id)).toMatchObject({ status: 'failed', problem: { code: 'sync-superseded' } })
  })

  it('fails with the problem of the worker that gave up, and marks the connector only for a problem of Exchange', async () => {
    const deps = await begin()
    const first = await startSync(full, deps, signal)
    const ofGraph = { code: 'graph-unauthorized', message: 'x' }
    await handleSyncProgressed(progress(first.id, 'failed', { problem: ofGraph }), deps)
    const afterGraph = (await readConnectors(fixture.store.db))[0]?.status
    const second = await startSync(full, deps, signal)
    const ofExchange = { code: 'wsman-unauthorized', message: 'y' }
    await handleSyncProgressed(progress(second.id, 'failed', { problem: ofExchange, organizationId: ORGANIZATION }), deps)

    expect(await stateOf(first.id)).toMatchObject({ status: 'failed', problem: ofGraph })
    expect(afterGraph).toBe('connectionPending')
    expect(await stateOf(second.id)).toMatchObject({ status: 'failed', problem: ofExchange })
    expect(await readConnectors(fixture.store.db)).toMatchObject([{ status: 'disconnected', problem: ofExchange }])
  })

  it('shows what a worker stumbles over while it tries again, and forgets it when it got over it', async () => {
    const deps = await begin()
    const run = await startSync(full, deps, signal)
    const problem = { code: 'wsman-unreachable', message: 'x' }
    await handleSyncProgressed(progress(run.id, 'discovering', { problem, organizationId: ORGANIZATION }), deps)
    const between = [await stateOf(run.id), (await readConnectors(fixture.store.db))[0]]
    await bothRead(run.id, deps)

    expect(between).toMatchObject([
      { status: 'running', problem },
      { status: 'disconnected', problem },
    ])
    expect(await stateOf(run.id)).toMatchObject({ status: 'running', problem: null })
    expect(await readConnectors(fixture.store.db)).toMatchObject([{ status: 'connected', problem: null }])
  })

  it('takes every message twice, in any order, and of runs it does not know', async () => {
    const deps = await begin()
    const run = await startSync(full, deps, signal)
    await bothRead(run.id, deps)
    const first = await stateOf(run.id)

    await bothRead(run.id, { ...deps, now: () => new Date(Date.now() + 60_000) })
    const unknown = await handleSyncProgressed(progress(randomUUID(), 'discovered'), deps)

    expect(await stateOf(run.id)).toMatchObject({ discovered_at: first?.discovered_at, looked_up_at: first?.looked_up_at })
    expect(unknown.kind).toBe('done')
  })
})

const EMPTY = new Map(measuredQueues().map(({ name }) => [name, 0]))
const COMMANDS = ['compliance-lookup.refresh', 'discovery.sync', 'enforcement.reconcile-organization']

async function startRun() {
  const deps = await begin()
  const run = await startSync(full, deps, signal)
  fixture.published.length = 0
  /** What the tracker does at a beat, so many minutes after the run began. */
  const beat = async (minutes: number, depths: ReadonlyMap<string, number> = EMPTY) => {
    const at = new Date(run.started_at.getTime() + minutes * 60_000)
    const then = { ...fixture.createDeps({ at }), readDepths: () => Promise.resolve(depths) }
    const { isQuiet } = await evaluateRun(run.id, then)
    await requestLostRuns(isQuiet ? [run.id] : [], then, signal)
    await publishMissingCommands(then, 0, signal)
    return fixture.published
      .splice(0)
      .map(({ type }) => type)
      .sort()
  }
  return { run, beat }
}

describe('a run that should move and does not', () => {
  it('is commanded again when no queue holds a message, after a quarter of an hour and twice in its life', async () => {
    const { run, beat } = await startRun()

    const published = []
    for (const minutes of [15, 16, 17, 31, 32, 48, 64]) published.push(await beat(minutes))

    expect(published).toEqual([[], COMMANDS, [], [], COMMANDS, [], []])
    expect((await readRun(fixture.store.db, run.id))?.status).toBe('running')
  })

  it.each([
    ['work waits in an inbox', new Map([...EMPTY, ['gh.enforcement', 1]])],
    ['something is on the delay ladder', new Map([...EMPTY, [LADDER_QUEUES[5] ?? '', 1]])],
    ['a queue is missing', new Map([...EMPTY].filter(([name]) => name !== 'gh.discovery'))],
  ])('is left alone while %s', async (_title, depths) => {
    const { beat } = await startRun()

    expect(await beat(16, depths)).toEqual([])
    expect(await beat(17)).toEqual(COMMANDS)
  })

  it('is commanded again though there are dead letters, which wait for a person', async () => {
    const { beat } = await startRun()

    expect(await beat(16, new Map([...EMPTY, ['gh.notification.dead', 3]]))).toEqual(COMMANDS)
  })
})
