import { randomUUID } from 'node:crypto'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../../test/environment/create-test-database.ts'
import { ComplianceLookupFixture, INCLUDED } from './compliance-lookup-fixture.ts'
import { directoryUser, managedPhone } from './graph-double.ts'

const OTHER = randomUUID()

let database: TestDatabase
let fixture: ComplianceLookupFixture
beforeAll(async () => {
  database = await createTestDatabase()
})
beforeEach(async () => {
  fixture = await ComplianceLookupFixture.create(database.url)
  const ids = ['user0', 'user1', 'user2']
  fixture.graph.devices = ids.map((id) => managedPhone(id, `PHONE-${id}`))
  fixture.graph.groups.set(
    INCLUDED,
    ids.map((id) => directoryUser(id)),
  )
})
afterEach(() => fixture[Symbol.asyncDispose]())
afterAll(() => database[Symbol.asyncDispose]())

describe('a look at the changes at Microsoft', () => {
  it('decides a mailbox of another organisation for a run of that organisation', async () => {
    const [withRun, withoutRun] = [randomUUID(), randomUUID()]
    await fixture.addOrganization(withRun, 'fabrikam')
    await fixture.addOrganization(withoutRun, 'tailspin')
    await fixture.addMailbox('user0@contoso.example', ['PHONE-user0'], { organizationId: withRun })
    const waiting = await fixture.addMailbox('user0@contoso.example', ['PHONE-user0'], { organizationId: withoutRun })
    await fixture.refresh('full')
    const theirs = await fixture.startRun('deltaSync', withRun)
    fixture.graph.changedDeviceIds = ['entra-PHONE-user0']

    await fixture.refresh('delta')

    expect(fixture.publishedOf('mailbox.decided').map((one) => one.syncRunId)).toEqual([theirs])
    expect(fixture.publishedOf('compliance-lookup.decide-mailbox')).toEqual([
      { type: 'compliance-lookup.decide-mailbox', lane: 'urgent', organizationId: withoutRun, mailboxId: waiting },
    ])
  })

  it('reads the changes once for the runs of several organisations, and again for a run that begins later', async () => {
    await fixture.addOrganization(OTHER, 'fabrikam')
    const mailbox = await fixture.addMailbox('user0@contoso.example', ['PHONE-user0'], { organizationId: OTHER })
    await fixture.refresh('full')
    const [ours, theirs] = [await fixture.startRun('deltaSync'), await fixture.startRun('deltaSync', OTHER)]
    fixture.graph.changedDeviceIds = ['entra-PHONE-user0']
    fixture.graph.calls.length = 0

    await fixture.refresh('delta', { run: ours })
    const first = fixture.graph.calls.length
    const { outcome } = await fixture.refresh('delta', { run: theirs })
    const second = fixture.graph.calls.length
    await fixture.refresh('delta')

    expect(outcome.kind).toBe('done')
    expect(second).toBe(first)
    expect(fixture.graph.calls.length).toBeGreaterThan(second)
    expect(fixture.publishedOf('mailbox.decided')).toMatchObject([{ mailboxId: mailbox, syncRunId: theirs }, {}])
    expect(fixture.publishedOf('sync.progressed').map((one) => [one.syncRunId, one.stage])).toContainEqual([
      theirs,
      'looked-up',
    ])
  })

  it('still tells the others what has changed, when one organisation had everything read in between', async () => {
    await fixture.addOrganization(OTHER, 'fabrikam')
    await fixture.addMailbox('user0@contoso.example', ['PHONE-user0'], { organizationId: OTHER })
    await fixture.refresh('full')
    await fixture.refresh('delta')
    fixture.graph.calls.length = 0

    await fixture.refresh('full')
    const theirs = await fixture.startRun('deltaSync', OTHER)
    fixture.graph.changedDeviceIds = ['entra-PHONE-user0']
    await fixture.refresh('delta', { run: theirs })

    expect(fixture.graph.calls).not.toContain('delta latest')
    expect(fixture.graph.calls).toContain('delta link-2')
    expect(fixture.publishedOf('mailbox.decided')).toMatchObject([{ syncRunId: theirs }])
  })
})
