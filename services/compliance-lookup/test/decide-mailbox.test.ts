import { randomUUID } from 'node:crypto'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../../test/environment/create-test-database.ts'
import { createDecisionStore } from '../src/decision-store.ts'
import { planMailboxDecision } from '../src/plan-mailbox-decision.ts'
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

/** Anna, targeted and licensed, with one phone; refreshed. Gives the run. */
async function refreshAnna(phone = managedPhone('anna', 'PHONE1')): Promise<string> {
  fixture.graph.devices = [phone]
  fixture.graph.groups.set(INCLUDED, [directoryUser('anna')])
  return (await fixture.refresh('full')).run
}

describe('deciding a mailbox', () => {
  it('stores a decision for every partnership and publishes its version once for the mailbox', async () => {
    const mailbox = await fixture.addMailbox('Anna@Contoso.example', ['phone1', 'PHONE2'])
    const run = await refreshAnna(managedPhone('anna', ' PHONE1 '))

    const outcome = await fixture.decide(mailbox, run)

    expect(outcome.kind).toBe('done')
    expect(await fixture.readDecisions(mailbox)).toEqual([
      { device_id: 'PHONE2', access: 'block', exemption: 'block', reason: 'not-enrolled' },
      { device_id: 'phone1', access: 'allow', exemption: 'allow', reason: 'compliant' },
    ])
    const [stored] = await fixture.query('select decision_version, sync_run_id, would_block from mailbox_decisions')
    expect(stored).toMatchObject({ sync_run_id: run, would_block: 1 })
    expect(fixture.publishedOf('mailbox.decided')).toEqual([
      {
        type: 'mailbox.decided',
        lane: 'bulk',
        organizationId: fixture.organizationId,
        mailboxId: mailbox,
        syncRunId: run,
        decisionVersion: (stored as { decision_version: number }).decision_version,
      },
    ])
  })

  it('comes to the same decision the second time', async () => {
    const mailbox = await fixture.addMailbox('anna@contoso.example', ['PHONE1', 'PHONE2'])
    const run = await refreshAnna()
    await fixture.decide(mailbox, run)
    const first = await fixture.readDecisions(mailbox)

    await fixture.decide(mailbox, run)

    expect(await fixture.readDecisions(mailbox)).toEqual(first)
    expect(await fixture.query('select would_block from mailbox_decisions')).toEqual([{ would_block: 1 }])
  })

  it('lets no decision that was made from older facts have the last word', async () => {
    const mailbox = await fixture.addMailbox('anna@contoso.example', ['PHONE1'])
    const run = await refreshAnna()
    const { organizationId } = fixture
    const decisions = createDecisionStore({ pool: fixture.store.pool, missingRefreshesMax: 2 })
    const read = () => decisions.read({ mailboxId: mailbox, organizationId })
    const store = async (state: Awaited<ReturnType<typeof read>>) => {
      const decision = state === undefined ? undefined : planMailboxDecision(state, new Date())
      if (state === undefined || decision === undefined) throw new Error('Nothing to decide')
      const fields = { mailboxId: mailbox, organizationId, syncRunId: run, madeAgainst: state.decision_version }
      return await decisions.store({ ...fields, ...decision })
    }
    const older = await read()
    await fixture.query(`update managed_devices set compliance_state = 'noncompliant'`)
    const newer = await read()

    expect(await store(newer)).toBeTypeOf('number')
    expect(await store(older)).toBeUndefined()

    expect(await fixture.readReasons(mailbox)).toEqual({ PHONE1: 'noncompliant' })
  })

  it('decides from the newest facts when many are at the same mailbox at once', async () => {
    const mailbox = await fixture.addMailbox('anna@contoso.example', ['PHONE1'])
    const run = await refreshAnna()
    const deps = fixture.createCopy()

    const outcomes = await Promise.all(Array.from({ length: 8 }, () => fixture.decide(mailbox, run, deps)))

    const kinds = outcomes.map((outcome) => (outcome.kind === 'later' ? outcome.reason : outcome.kind))
    expect(kinds).toContain('done')
    expect(new Set(kinds).isSubsetOf(new Set(['done', 'decided-meanwhile']))).toBe(true)
    expect(fixture.publishedOf('mailbox.decided')).toHaveLength(kinds.filter((kind) => kind === 'done').length)
  })

  it('forgets the decisions of partnerships that are gone', async () => {
    const mailbox = await fixture.addMailbox('anna@contoso.example', ['PHONE1', 'PHONE2'])
    const run = await refreshAnna()
    await fixture.decide(mailbox, run)
    await fixture.query(`update device_partnerships set vanished_at = now() where device_id = 'PHONE2'`)

    await fixture.decide(mailbox, run)

    expect(Object.keys(await fixture.readReasons(mailbox))).toEqual(['PHONE1'])
  })

  it('does not count a block that is in the list already', async () => {
    const mailbox = await fixture.addMailbox('anna@contoso.example', ['PHONE2', 'PHONE3'], { blocked: ['phone2'] })
    await fixture.addOwnEntry(mailbox, 'block', 'PHONE2')
    const run = await refreshAnna()

    await fixture.decide(mailbox, run)

    expect(await fixture.query('select would_block from mailbox_decisions')).toEqual([{ would_block: 1 }])
  })

  it('does nothing for a mailbox that has left Exchange', async () => {
    const mailbox = await fixture.addMailbox('anna@contoso.example', ['PHONE1'])
    const run = await refreshAnna()
    await fixture.query('update mailboxes set vanished_at = now()')

    expect((await fixture.decide(mailbox, run)).kind).toBe('done')
    expect((await fixture.decide(randomUUID(), run)).kind).toBe('done')
    expect(fixture.publishedOf('mailbox.decided')).toEqual([])
  })
})

describe('the user of a mailbox', () => {
  it('is the one whose user name is its address, else the one whose mail is', async () => {
    const byName = await fixture.addMailbox('ANNA@contoso.example', ['PHONE1'])
    const byMail = await fixture.addMailbox('b.smith@contoso.example', ['PHONE2'])
    const run = await refreshAnna()
    const bob = directoryUser('bob', { mail: 'B.Smith@contoso.example' })
    const other = directoryUser('carol', { mail: 'anna@contoso.example' })
    fixture.graph.groups.set(INCLUDED, [directoryUser('anna'), bob, other])
    fixture.graph.devices = [managedPhone('anna', 'PHONE1'), managedPhone('bob', 'PHONE2')]
    await fixture.refresh('full')

    await fixture.decide(byName, run)
    await fixture.decide(byMail, run)

    expect(await fixture.readReasons(byName)).toEqual({ PHONE1: 'compliant' })
    expect(await fixture.readReasons(byMail)).toEqual({ PHONE2: 'compliant' })
  })

  it('is left alone when nobody or several have the address', async () => {
    const nobody = await fixture.addMailbox('room@contoso.example', ['PHONE3'])
    const several = await fixture.addMailbox('team@contoso.example', ['PHONE4'])
    fixture.graph.devices = [managedPhone('anna', 'PHONE1')]
    const team = ['anna', 'bob'].map((id) => directoryUser(id, { mail: 'team@contoso.example' }))
    fixture.graph.groups.set(INCLUDED, team)
    const { run } = await fixture.refresh('full')

    await fixture.decide(nobody, run)
    await fixture.decide(several, run)

    expect(await fixture.readDecisions(nobody)).toMatchObject([{ exemption: 'none', reason: 'user-not-found' }])
    expect(await fixture.readDecisions(several)).toMatchObject([{ exemption: 'none', reason: 'user-ambiguous' }])
  })

  it('is not touched when excluded, although included, nor without a licence', async () => {
    const excluded = await fixture.addMailbox('anna@contoso.example', ['PHONE1'])
    const unlicensed = await fixture.addMailbox('bob@contoso.example', ['PHONE2'])
    fixture.graph.devices = [managedPhone('anna', 'PHONE1')]
    fixture.graph.groups.set(INCLUDED, [directoryUser('anna'), directoryUser('bob', { licensed: false })])
    fixture.graph.groups.set(EXCLUDED, [directoryUser('anna')])
    const { run } = await fixture.refresh('full')

    await fixture.decide(excluded, run)
    await fixture.decide(unlicensed, run)

    expect(await fixture.readDecisions(excluded)).toMatchObject([{ exemption: 'none', reason: 'user-excluded' }])
    expect(await fixture.readDecisions(unlicensed)).toMatchObject([{ exemption: 'none', reason: 'user-not-licensed' }])
  })

  it('is not let in by the phone of a colleague', async () => {
    const mailbox = await fixture.addMailbox('anna@contoso.example', ['PHONE1'])
    const run = await refreshAnna(managedPhone('bob', 'PHONE1'))

    await fixture.decide(mailbox, run)

    expect(await fixture.readReasons(mailbox)).toEqual({ PHONE1: 'device-of-another-user' })
  })
})

describe('an entry in the lists of a mailbox', () => {
  it('is the administrator’s unless it is known to be ours', async () => {
    const mailbox = await fixture.addMailbox('anna@contoso.example', ['PHONE1', 'PHONE2'], { allowed: ['phone1', 'PHONE2'] })
    await fixture.addOwnEntry(mailbox, 'allow', 'PHONE1')
    const run = await refreshAnna()

    await fixture.decide(mailbox, run)

    expect(await fixture.readDecisions(mailbox)).toMatchObject([
      { device_id: 'PHONE1', exemption: 'allow', reason: 'compliant' },
      { device_id: 'PHONE2', access: 'allow', exemption: 'none', reason: 'admin-exemption' },
    ])
  })

  it('that we have taken out since the mailbox was read is not mistaken for the administrator’s', async () => {
    const mailbox = await fixture.addMailbox('anna@contoso.example', ['PHONE1'], { blocked: ['PHONE1'] })
    await fixture.addChange(mailbox, 'written', { blockRemove: ['PHONE1'], allowAdd: ['PHONE1'] })
    await fixture.addOwnEntry(mailbox, 'allow', 'PHONE1')
    const run = await refreshAnna()

    await fixture.decide(mailbox, run)

    expect(await fixture.readReasons(mailbox)).toEqual({ PHONE1: 'compliant' })
  })

  it('that a write of ours may just have put there is ours', async () => {
    const mailbox = await fixture.addMailbox('anna@contoso.example', ['PHONE1'], { allowed: ['PHONE1'] })
    await fixture.addChange(mailbox, 'writing', { allowAdd: ['PHONE1'] })
    const run = await refreshAnna()

    await fixture.decide(mailbox, run)

    expect(await fixture.readReasons(mailbox)).toEqual({ PHONE1: 'compliant' })
  })
})

describe('waiting for the refresh', () => {
  it('holds a mailbox back until Intune was read once, and in a full sync until it was read for this run', async () => {
    const mailbox = await fixture.addMailbox('anna@contoso.example', ['PHONE1'])
    const delta = await fixture.startRun('deltaSync')
    const waiting = await fixture.decide(mailbox, delta)
    await refreshAnna()
    const full = await fixture.startRun('fullSync')

    expect(waiting).toMatchObject({ kind: 'later', reason: 'graph-refresh-pending' })
    expect(await fixture.decide(mailbox, delta)).toMatchObject({ kind: 'done' })
    expect(await fixture.decide(mailbox, full)).toMatchObject({ kind: 'later', reason: 'graph-refresh-pending' })
    await fixture.refresh('full', { run: full })
    expect(await fixture.decide(mailbox, full)).toMatchObject({ kind: 'done' })
  })

  it('decides nothing for a run that has failed', async () => {
    const mailbox = await fixture.addMailbox('anna@contoso.example', ['PHONE1'])
    const run = await refreshAnna()
    await fixture.query(`update sync_runs set status = 'failed' where id = $1`, [run])

    expect((await fixture.decide(mailbox, run)).kind).toBe('done')
    expect(await fixture.readDecisions(mailbox)).toEqual([])
  })
})
