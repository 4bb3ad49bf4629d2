import { PermanentError, RetryableError } from '@gatehouse/messages'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../../test/environment/create-test-database.ts'
import { ComplianceLookupFixture, EXCLUDED, INCLUDED } from './compliance-lookup-fixture.ts'
import { directoryUser, managedPhone } from './graph-double.ts'

let database: TestDatabase
let fixture: ComplianceLookupFixture
beforeAll(async () => {
  database = await createTestDatabase()
})
beforeEach(async () => {
  fixture = await ComplianceLookupFixture.create(database.url)
})
afterEach(() => fixture[Symbol.asyncDispose]())
afterAll(() => database[Symbol.asyncDispose]())

const people = (count: number) => Array.from({ length: count }, (_, index) => `user${index}`)

/** So many targeted people with one compliant phone each. */
function populate(count: number): void {
  const ids = people(count)
  fixture.graph.devices = ids.map((id) => managedPhone(id, `PHONE-${id}`))
  fixture.graph.groups.set(
    INCLUDED,
    ids.map((id) => directoryUser(id)),
  )
}

const missing = async () => {
  const rows = await fixture.query<{ id: string; missing_refreshes: number }>(
    'select id, missing_refreshes from managed_devices where missing_refreshes > 0 order by id',
  )
  return Object.fromEntries(rows.map((row) => [row.id, row.missing_refreshes]))
}
const problems = () => fixture.publishedOf('sync.progressed').map((one) => [one.stage, one.problem?.code])

describe('a full refresh', () => {
  it('stores what Intune and Entra hold, and says that the run is looked up', async () => {
    populate(3)

    const { run, outcome } = await fixture.refresh('full')

    expect(outcome.kind).toBe('done')
    expect(await fixture.query('select count(*) from managed_devices')).toEqual([{ count: 3 }])
    expect(await fixture.query('select count(*) from group_members')).toEqual([{ count: 3 }])
    expect(fixture.publishedOf('sync.progressed')).toEqual([
      { type: 'sync.progressed', lane: 'bulk', syncRunId: run, stage: 'looked-up', counts: { managedDevices: 3, users: 3 } },
    ])
    expect(fixture.graph.calls.toSorted()).toEqual(
      ['delta latest', 'managedDevices', `members ${EXCLUDED}`, `members ${INCLUDED}`].toSorted(),
    )
  })

  it('finds itself done the second time and asks Graph for nothing', async () => {
    populate(3)
    const { run } = await fixture.refresh('full')
    fixture.graph.calls.length = 0

    const { outcome } = await fixture.refresh('full', { run })

    expect(outcome.kind).toBe('done')
    expect(fixture.graph.calls).toEqual([])
    expect(problems()).toEqual([
      ['looked-up', undefined],
      ['looked-up', undefined],
    ])
  })

  it('serves every run that had begun by then, and none that has read other groups', async () => {
    populate(3)
    const [first, second] = [await fixture.startRun('fullSync'), await fixture.startRun('fullSync')]
    await fixture.refresh('full', { run: first })
    fixture.graph.calls.length = 0

    await fixture.refresh('full', { run: second })
    const served = fixture.graph.calls.length
    await fixture.setPolicy({ excluded: [] })
    const third = await fixture.startRun('fullSync')
    await fixture.refresh('full', { run: third })

    expect(served).toBe(0)
    expect(fixture.graph.calls).toContain('managedDevices')
  })

  it('does not pass for one that began after a run, when it only ended after the run began', async () => {
    populate(3)
    const release = fixture.graph.holdReads()
    const reading = fixture.refresh('full')
    await fixture.graph.reading
    const mailbox = await fixture.addMailbox('user0@contoso.example', ['PHONE-user0'])
    const later = await fixture.startRun('fullSync')
    release()
    await reading

    expect(await fixture.decide(mailbox, later)).toMatchObject({ kind: 'later', reason: 'graph-refresh-pending' })
  })

  it('lets one copy read at a time', async () => {
    populate(3)
    const release = fixture.graph.holdReads()
    const [one, other] = [fixture.createCopy(), fixture.createCopy()]
    const reading = fixture.refresh('full', { deps: one })
    await fixture.graph.reading

    const { outcome } = await fixture.refresh('full', { deps: other })
    release()

    expect(outcome).toMatchObject({ kind: 'later', reason: 'refresh-running' })
    expect((await reading).outcome.kind).toBe('done')
  })

  it('takes who has left a group out of it, and forgets users nobody targets', async () => {
    populate(3)
    await fixture.refresh('full')
    fixture.graph.groups.set(INCLUDED, [directoryUser('user1')])

    await fixture.refresh('full')

    expect(await fixture.query('select user_id from group_members')).toEqual([{ user_id: 'user1' }])
    expect(await fixture.query('select id from directory_users')).toEqual([{ id: 'user1' }])
  })
})

describe('a managed device that a refresh does not list', () => {
  it('still counts the first time, is gone the second time, and counts again when it is back', async () => {
    populate(3)
    const mailbox = await fixture.addMailbox('user0@contoso.example', ['PHONE-user0'])
    await fixture.refresh('full')
    fixture.graph.leftOut.add('managed-PHONE-user0')
    const reasonAfter = async () => {
      const { run } = await fixture.refresh('full')
      await fixture.decide(mailbox, run)
      return (await fixture.readReasons(mailbox))['PHONE-user0']
    }

    const first = await reasonAfter()
    const second = await reasonAfter()
    fixture.graph.leftOut.clear()

    expect([first, second, await reasonAfter()]).toEqual(['compliant', 'not-enrolled', 'compliant'])
  })

  it('counts as missing once, however often the same refresh is repeated', async () => {
    populate(3)
    await fixture.refresh('full')
    fixture.graph.leftOut.add('managed-PHONE-user0')
    const { run } = await fixture.refresh('full')

    await fixture.refresh('full', { run })

    expect(await missing()).toEqual({ 'managed-PHONE-user0': 1 })
  })
})

describe('an answer that cannot be true', () => {
  it('is refused, and nothing is stored', async () => {
    populate(30)
    await fixture.refresh('full')
    fixture.graph.devices = fixture.graph.devices.slice(0, 14)

    await expect(fixture.refresh('full')).rejects.toMatchObject({ code: 'graph-answer-shrunk' })

    expect(await missing()).toEqual({})
    expect(problems().at(-1)).toEqual(['looking-up', 'graph-answer-shrunk'])
  })

  it('is an empty list of devices, even the first time', async () => {
    populate(3)
    fixture.graph.devices = []

    await expect(fixture.refresh('full')).rejects.toMatchObject({ code: 'graph-answer-shrunk' })

    expect(await fixture.query('select name from graph_cursors')).toEqual([])
  })

  it('is a group that has lost its members, although the others have not', async () => {
    populate(60)
    const excluded = people(25).map((id) => directoryUser(id))
    fixture.graph.groups.set(EXCLUDED, excluded)
    await fixture.refresh('full')
    fixture.graph.groups.set(EXCLUDED, [])

    await expect(fixture.refresh('full')).rejects.toMatchObject({ code: 'graph-answer-shrunk' })

    expect(await fixture.query('select count(*) from group_members where group_id = $1', [EXCLUDED])).toEqual([{ count: 25 }])
  })

  it('is believed when somebody has asked for other groups', async () => {
    populate(60)
    await fixture.refresh('full')
    await fixture.setPolicy({ included: [EXCLUDED], excluded: [] })
    fixture.graph.groups.set(EXCLUDED, [directoryUser('user1')])

    expect((await fixture.refresh('full')).outcome.kind).toBe('done')
  })
})

describe('when Graph does not answer', () => {
  it('leaves it to the breaker how long Graph is to be left alone, and tells nobody', async () => {
    populate(3)
    const failure = new RetryableError('graph-throttled', 'Throttled', { retryAfterMs: 2_128 })
    fixture.graph.failure = failure

    await expect(fixture.refresh('full')).rejects.toBe(failure)

    expect(fixture.published).toEqual([])
  })

  it('does not end the run while Graph is down, for that spends no attempt', async () => {
    populate(3)
    fixture.graph.failure = new RetryableError('graph-unavailable', 'Down')

    await fixture.refresh('full', { attempt: 3 }).catch(() => undefined)

    expect(problems()).toEqual([['looking-up', 'graph-unavailable']])
  })

  it('tries again, and ends the run with the last attempt', async () => {
    populate(3)
    const failure = new RetryableError('graph-answer-unreadable', 'The page of a proxy')
    fixture.graph.failure = failure
    await expect(fixture.refresh('full', { attempt: 2 })).rejects.toBe(failure)
    fixture.graph.failure = failure
    await expect(fixture.refresh('full', { attempt: 3 })).rejects.toBe(failure)

    expect(problems()).toEqual([
      ['looking-up', 'graph-answer-unreadable'],
      ['failed', 'graph-answer-unreadable'],
    ])
  })

  it('ends the run at once when only an administrator can help', async () => {
    populate(3)
    fixture.graph.failure = new PermanentError('graph-permission-missing', 'Grant DeviceManagementManagedDevices.Read.All')

    await fixture.refresh('full').catch(() => undefined)

    expect(problems()).toEqual([['failed', 'graph-permission-missing']])
  })

  it('lets the next copy read when one has failed', async () => {
    populate(3)
    fixture.graph.failure = new RetryableError('graph-unavailable', 'Down')
    await fixture.refresh('full').catch(() => undefined)

    expect((await fixture.refresh('full')).outcome.kind).toBe('done')
  })
})

describe('a delta refresh', () => {
  it('reads everything when there was no refresh yet, or the feed has expired', async () => {
    populate(3)
    await fixture.refresh('delta')
    const first = fixture.graph.calls.includes('managedDevices')
    fixture.graph.calls.length = 0
    fixture.graph.changedDeviceIds = undefined

    await fixture.refresh('delta')

    expect(first).toBe(true)
    expect(fixture.graph.calls).toContain('managedDevices')
  })

  it('decides the mailboxes of changed devices, urgently, before it says that the run is looked up', async () => {
    populate(3)
    const mailbox = await fixture.addMailbox('user1@contoso.example', ['PHONE-user1'])
    await fixture.addMailbox('user2@contoso.example', ['PHONE-user2'])
    await fixture.refresh('full')
    fixture.published.length = 0
    fixture.graph.devices[1] = managedPhone('user1', 'PHONE-user1', { complianceState: 'noncompliant' })
    fixture.graph.changedDeviceIds = ['entra-PHONE-user1']

    const { run } = await fixture.refresh('delta')

    expect(await fixture.readReasons(mailbox)).toEqual({ 'PHONE-user1': 'noncompliant' })
    expect(fixture.published.map((one) => [one.type, one.lane])).toEqual([
      ['mailbox.decided', 'urgent'],
      ['sync.progressed', 'bulk'],
    ])
    expect(await fixture.query('select sync_run_id, would_block from mailbox_decisions')).toEqual([
      { sync_run_id: run, would_block: 1 },
    ])
  })

  it('goes on from where the last one stopped, and only once that one is through', async () => {
    populate(3)
    await fixture.refresh('full')
    await fixture.refresh('delta')
    fixture.graph.changedDeviceIds = ['entra-PHONE-user1']
    fixture.graph.failure = new RetryableError('graph-unavailable', 'Down')
    await fixture.refresh('delta').catch(() => undefined)
    fixture.graph.calls.length = 0

    await fixture.refresh('delta')
    await fixture.refresh('delta')

    expect(fixture.graph.calls.filter((call) => call.startsWith('delta'))).toEqual(['delta link-2', 'delta link-4'])
  })

  it('finds the user of a device that was never seen before', async () => {
    populate(3)
    const mailbox = await fixture.addMailbox('user0@contoso.example', ['NEW'])
    await fixture.refresh('full')
    fixture.graph.devices.push(managedPhone('user0', 'NEW'))
    fixture.graph.changedDeviceIds = ['entra-NEW']

    await fixture.refresh('delta')

    expect(await fixture.readReasons(mailbox)).toEqual({ NEW: 'compliant' })
  })

  it('lets in who has bound the mail app since, which the feed does not tell', async () => {
    populate(3)
    fixture.graph.devices[0] = managedPhone('user0', '', { id: 'm0', easActivated: false })
    const mailbox = await fixture.addMailbox('user0@contoso.example', ['PHONE-user0'])
    const { run } = await fixture.refresh('full')
    await fixture.decide(mailbox, run)
    const before = await fixture.readReasons(mailbox)
    fixture.graph.devices[0] = managedPhone('user0', 'PHONE-user0', { id: 'm0' })

    await fixture.refresh('delta')

    expect(before).toEqual({ 'PHONE-user0': 'not-enrolled' })
    expect(await fixture.readReasons(mailbox)).toEqual({ 'PHONE-user0': 'compliant' })
  })

  it('notes a device that was unenrolled, for the next full refresh to confirm', async () => {
    populate(3)
    const mailbox = await fixture.addMailbox('user0@contoso.example', ['PHONE-user0'])
    await fixture.refresh('full')
    fixture.graph.devices.shift()
    fixture.graph.changedDeviceIds = ['entra-PHONE-user0']

    await fixture.refresh('delta')
    await fixture.refresh('delta')
    const noted = [await missing(), await fixture.readReasons(mailbox)]
    const { run } = await fixture.refresh('full')
    await fixture.decide(mailbox, run)

    expect(noted).toEqual([{ 'managed-PHONE-user0': 1 }, { 'PHONE-user0': 'compliant' }])
    expect(await fixture.readReasons(mailbox)).toEqual({ 'PHONE-user0': 'not-enrolled' })
  })
})
