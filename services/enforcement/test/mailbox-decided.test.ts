import { randomUUID } from 'node:crypto'
import { PermanentError, RetryableError } from '@gatehouse/messages'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../../test/environment/create-test-database.ts'
import { EnforcementFixture } from './enforcement-fixture.ts'

const done = { kind: 'done' }
const later = (reason: string) => expect.objectContaining({ kind: 'later', reason }) as unknown
let database: TestDatabase
let world: EnforcementFixture

beforeAll(async () => {
  database = await createTestDatabase()
})

afterAll(async () => {
  await database?.[Symbol.asyncDispose]()
})

beforeEach(async () => {
  world = await EnforcementFixture.create(database)
})

afterEach(async () => {
  await world?.[Symbol.asyncDispose]()
})

describe('a decided mailbox', () => {
  it('is written once, however often its message comes', async () => {
    const mailbox = await world.addMailbox()
    const message = await world.decide(mailbox, { ApplA: 'allow', ApplB: 'none' })

    expect(await world.handle(message)).toEqual(done)
    expect(await world.handle(message)).toEqual(done)
    expect(await world.handle(await world.decide(mailbox, {}))).toEqual(done)

    expect(world.exchange.sent).toEqual(['Set-CASMailbox'])
    expect(world.exchange.lists.get(mailbox)).toEqual({ allowed: ['ApplA'], blocked: [] })
    expect(await world.own(mailbox)).toEqual(['allow:ApplA'])
    expect(await world.changes(mailbox)).toMatchObject([{ state: 'written' }])
    // Nobody has anything to do about somebody who was let in.
    expect(world.published).toEqual([])
  })

  it('says again that it has written a block when its message is redelivered', async () => {
    const mailbox = await world.addMailbox()
    const message = await world.decide(mailbox, { ApplA: 'block' })
    await world.handle(message)
    await world.sql("update access_changes set announced_at = announced_at - interval '1 hour'")
    await world.handle(message)
    const said = world.published.length

    expect(await world.handle(message, { redelivered: true })).toEqual(done)

    expect(world.published.slice(said)).toMatchObject([{ type: 'access.changed' }])
    expect(await world.outcomeOf(mailbox)).toBe('written')
  })

  it("leaves an administrator's entries alone", async () => {
    const mailbox = await world.addMailbox({ allowed: ['APPLA'], blocked: ['Old'] })

    await world.handle(await world.decide(mailbox, { ApplA: 'block', ApplB: 'allow' }))

    expect(world.exchange.lists.get(mailbox)).toEqual({ allowed: ['APPLA', 'ApplB'], blocked: ['Old'] })
  })

  it('takes back what is ours once it is no longer wanted', async () => {
    const mailbox = await world.addMailbox()
    await world.handle(await world.decide(mailbox, { ApplA: 'allow' }))

    await world.handle(await world.decide(mailbox, { ApplA: 'none' }))

    expect(world.exchange.lists.get(mailbox)).toEqual({ allowed: [], blocked: [] })
    expect(await world.own(mailbox)).toEqual([])
  })

  it('is left to the newer decision when there is one', async () => {
    const mailbox = await world.addMailbox()
    const older = await world.decide(mailbox, { ApplA: 'allow' })
    await world.decide(mailbox, { ApplA: 'none' })

    expect(await world.handle(older)).toEqual(done)
    expect(world.exchange.sent).toEqual([])
  })

  it('is worked on by one at a time', async () => {
    const mailbox = await world.addMailbox()
    const message = await world.decide(mailbox, { ApplA: 'allow' })

    const outcomes = await Promise.all([world.handle(message), world.handle(message)])

    expect(outcomes).toContainEqual(done)
    expect(outcomes).toContainEqual(later('mailbox-locked'))
    expect(world.exchange.sent).toEqual(['Set-CASMailbox'])
  })

  it('is only reported, and reported once, in report-only mode', async () => {
    await world.sql('update organizations set report_only = true')
    const mailbox = await world.addMailbox()

    for (const _ of [1, 2]) expect(await world.handle(await world.decide(mailbox, { ApplA: 'block' }))).toEqual(done)

    expect(world.exchange).toMatchObject({ sent: [], connects: 0 })
    expect(await world.changes(mailbox)).toMatchObject([{ state: 'reported' }])
    expect(await world.outcomeOf(mailbox)).toBe('reported')
  })

  it('waits for an organisation or a decision it cannot see yet', async () => {
    const mailbox = await world.addMailbox()
    const message = await world.decide(mailbox, {})

    expect(await world.handle({ ...message, decisionVersion: 1_000_000 })).toEqual(later('decision-not-visible'))
    await world.sql('delete from connectors')
    expect(await world.handle(message)).toEqual(later('organization-not-ready'))
    await expect(world.handle({ ...message, mailboxId: randomUUID() })).rejects.toMatchObject({ code: 'mailbox-unknown' })
  })
})

describe('a block', () => {
  it('waits for the brake, then for its notice, and is written as the change that was announced', async () => {
    const mailbox = await world.addMailbox()
    const run = await world.addRun('counting')
    const message = await world.decide(mailbox, { ApplA: 'block' }, run)

    expect(await world.handle(message)).toEqual(later('brake'))
    await world.sql("update sync_runs set brake = 'released'")
    expect(await world.handle(message)).toEqual(later('notice-pending'))
    expect(await world.handle(message)).toEqual(later('notice-pending'))
    const [announced] = await world.changes(mailbox)
    expect(announced).toMatchObject({ state: 'announced' })
    expect(world.published).toMatchObject([{ type: 'access.changed', changeId: announced?.id }])
    await world.sql(
      `insert into notices (id, key, organization_id, change_id, recipient, locale, template, variables, state, created_at)
       values ($1, 'k', $2, $3, 'ann@contoso.com', 'en', 'block', '{}', 'sent', now())`,
      [randomUUID(), world.organizationId, announced?.id],
    )
    expect(await world.handle(message)).toEqual(done)

    expect(world.exchange.lists.get(mailbox)).toEqual({ allowed: [], blocked: ['ApplA'] })
    expect(await world.changes(mailbox)).toMatchObject([{ id: announced?.id, state: 'written' }])
  })

  it('goes without its notice when that has had its time', async () => {
    const mailbox = await world.addMailbox()
    const message = await world.decide(mailbox, { ApplA: 'block' })
    await world.handle(message)
    await world.sql("update access_changes set announced_at = announced_at - interval '1 hour'")

    expect(await world.handle(message)).toEqual(done)
    expect(world.exchange.lists.get(mailbox)?.blocked).toEqual(['ApplA'])
  })

  it('is given up when the device has become compliant meanwhile', async () => {
    const mailbox = await world.addMailbox()
    await world.handle(await world.decide(mailbox, { ApplA: 'block' }))

    expect(await world.handle(await world.decide(mailbox, { ApplA: 'allow' }))).toEqual(done)

    expect(await world.changes(mailbox)).toMatchObject([{ state: 'superseded' }, { state: 'written' }])
    expect(world.exchange.lists.get(mailbox)).toEqual({ allowed: ['ApplA'], blocked: [] })
  })

  it('does not make a second notice when its write was refused and is tried again', async () => {
    const mailbox = await world.addMailbox()
    const message = await world.decide(mailbox, { ApplA: 'block' })
    await world.handle(message)
    await world.sql("update access_changes set announced_at = announced_at - interval '1 hour'")
    const error = new RetryableError('exchange-directory-busy', 'busy', { detail: { scope: 'mailbox', mayHaveRun: false } })
    world.exchange.failWrite = { error, isApplied: false }

    await expect(world.handle(message)).rejects.toBe(error)
    expect(await world.changes(mailbox)).toMatchObject([{ state: 'announced' }])
    expect(await world.handle(message, { attempt: 2 })).toEqual(done)

    expect(await world.changes(mailbox)).toMatchObject([{ state: 'written' }])
  })
})

describe('a worker whose copies have nearly all shells of the account', () => {
  it('leaves what it cannot carry out soon to the others, but nothing that is urgent', async () => {
    await world.handle(await world.decide(await world.addMailbox(), { ApplA: 'allow' }))
    world.exchange.shellsAllowed = 1
    const hold = Promise.withResolvers<void>()
    world.exchange.onWrite = () => hold.promise
    const held = await Promise.all(
      Array.from({ length: 9 }, async () => await world.decide(await world.addMailbox(), { ApplA: 'allow' })),
    )
    const handled = held.map((message) => world.handle(message))
    const next = await world.decide(await world.addMailbox(), { ApplA: 'allow' })

    expect(await world.handle(next)).toMatchObject({ kind: 'later', reason: 'organization-busy' })
    const urgent = world.handle(next, { lane: 'urgent' })
    hold.resolve()

    expect(await Promise.all([...handled, urgent])).toEqual(Array.from({ length: 10 }, () => done))
  })
})

describe('a write whose answer is lost', () => {
  const lost = new RetryableError('exchange-connection-lost', 'cut', { detail: { scope: 'server', mayHaveRun: true } })

  it('is not sent again when Exchange has done it', async () => {
    const mailbox = await world.addMailbox()
    const message = await world.decide(mailbox, { ApplA: 'allow' })
    world.exchange.failWrite = { error: lost, isApplied: true }

    await expect(world.handle(message)).rejects.toBe(lost)
    expect(await world.changes(mailbox)).toMatchObject([{ state: 'writing' }])
    expect(await world.handle(message, { attempt: 2 })).toEqual(done)

    expect(world.exchange.sent).toEqual(['Set-CASMailbox', 'Get-CASMailbox'])
    expect(await world.changes(mailbox)).toMatchObject([{ state: 'written' }])
    expect(await world.own(mailbox)).toEqual(['allow:ApplA'])
  })

  it('is sent again when Exchange has not', async () => {
    const mailbox = await world.addMailbox()
    const message = await world.decide(mailbox, { ApplA: 'allow' })
    world.exchange.failWrite = { error: lost, isApplied: false }

    await expect(world.handle(message)).rejects.toBe(lost)
    expect(await world.handle(message, { attempt: 2 })).toEqual(done)

    expect(world.exchange.sent).toEqual(['Set-CASMailbox', 'Get-CASMailbox', 'Set-CASMailbox'])
    expect(await world.changes(mailbox)).toMatchObject([{ state: 'superseded' }, { state: 'written' }])
  })

  it('does not keep its run open when the attempts are used up', async () => {
    const mailbox = await world.addMailbox()
    const message = await world.decide(mailbox, { ApplA: 'allow' })
    world.exchange.failWrite = { error: lost, isApplied: false }

    await expect(world.handle(message, { attempt: 3 })).rejects.toBe(lost)

    expect(await world.outcomeOf(mailbox)).toBe('failed')
  })
})

describe('a mailbox Exchange refuses to change', () => {
  it('is recorded as failed and becomes a dead letter', async () => {
    const mailbox = await world.addMailbox()
    const message = await world.decide(mailbox, { ApplA: 'allow' })
    const error = new PermanentError('administrative-limit-exceeded', 'full', {
      detail: { scope: 'mailbox', mayHaveRun: false },
    })
    world.exchange.failWrite = { error, isApplied: false }

    await expect(world.handle(message)).rejects.toBe(error)

    expect(await world.changes(mailbox)).toMatchObject([
      { state: 'failed', problem: { code: 'administrative-limit-exceeded' } },
    ])
    expect(await world.outcomeOf(mailbox)).toBe('failed')
    expect(world.published).toMatchObject([{ type: 'access.changed' }])
  })
})

describe('an Exchange that does not answer', () => {
  it('pauses its organisation, says so once, spends no attempts, and is asked by one message when the pause is over', async () => {
    const mailboxes = [await world.addMailbox(), await world.addMailbox(), await world.addMailbox()]
    const messages = await Promise.all(mailboxes.map((mailbox) => world.decide(mailbox, { ApplA: 'allow' })))
    world.exchange.connectError = new RetryableError('exchange-unreachable', 'refused', { detail: { scope: 'organization' } })

    for (const message of messages) expect(await world.handle(message)).toEqual(later('exchange-paused'))
    expect(world.exchange.connects).toBe(1)
    expect(world.published).toMatchObject([{ type: 'sync.progressed', problem: { code: 'exchange-unreachable' } }])
    world.exchange.connectError = undefined
    world.now += 10_000
    for (const message of messages) expect(await world.handle(message)).toEqual(done)

    expect(world.published.map(({ type }) => type)).toEqual(['sync.progressed', 'sync.progressed'])
    expect(await world.changes(mailboxes[0] ?? '')).toMatchObject([{ state: 'written' }])
  })

  it('is connected anew, with the password as it is then, once it has refused the one before', async () => {
    const [first, second] = [await world.addMailbox(), await world.addMailbox()]
    await world.handle(await world.decide(first, { ApplA: 'allow' }))
    const detail = { scope: 'organization', mayHaveRun: false }
    const error = new PermanentError('exchange-authentication-failed', 'refused', { detail })
    world.exchange.failWrite = { error, isApplied: false }
    const message = await world.decide(second, { ApplA: 'allow' })

    expect(await world.handle(message)).toEqual(later('exchange-paused'))
    world.now += 10_000
    expect(await world.handle(message)).toEqual(done)

    expect(world.exchange.connects).toBe(2)
    expect((await world.changes(second)).map(({ state }) => state)).toContain('written')
  })

  it('does not keep mailboxes waiting that need nothing of it', async () => {
    world.exchange.connectError = new RetryableError('exchange-unreachable', 'refused', { detail: { scope: 'organization' } })
    const [same, different] = [await world.addMailbox(), await world.addMailbox()]
    await world.handle(await world.decide(different, { ApplA: 'allow' }))

    expect(await world.handle(await world.decide(same, { ApplA: 'none' }))).toEqual(done)
  })
})

describe('a connector that was replaced', () => {
  it('is not written through with the old connection', async () => {
    const [first, second] = [await world.addMailbox(), await world.addMailbox()]
    await world.handle(await world.decide(first, { ApplA: 'allow' }))
    await world.sql('update connectors set epoch = 2')
    const message = await world.decide(second, { ApplA: 'allow' })

    expect(await world.handle(message)).toEqual(later('connector-replaced'))
    expect(world.exchange.sent).toEqual(['Set-CASMailbox'])
    expect(await world.handle(message)).toEqual(done)
    expect(world.exchange.connects).toBe(2)
  })
})

describe('a later read of Exchange', () => {
  it('verifies what was written', async () => {
    const mailbox = await world.addMailbox()
    await world.handle(await world.decide(mailbox, { ApplA: 'allow' }))
    await world.observe(mailbox)

    await world.handle(await world.decide(mailbox, {}))

    expect(await world.changes(mailbox)).toMatchObject([{ state: 'verified' }])
  })

  it('that does not show it is drift, and is put right', async () => {
    const mailbox = await world.addMailbox()
    await world.handle(await world.decide(mailbox, { ApplA: 'allow' }))
    world.exchange.lists.set(mailbox, { allowed: [], blocked: [] })
    await world.observe(mailbox)

    await world.handle(await world.decide(mailbox, {}))

    expect(await world.changes(mailbox)).toMatchObject([
      { state: 'superseded', problem: { code: 'exchange-drift' } },
      { state: 'written' },
    ])
    expect(world.exchange.lists.get(mailbox)?.allowed).toEqual(['ApplA'])
  })

  it('that began while we were writing takes nothing back', async () => {
    const mailbox = await world.addMailbox()
    world.exchange.onWrite = () => world.observe(mailbox)
    await world.handle(await world.decide(mailbox, { ApplA: 'allow' }))

    await world.handle(await world.decide(mailbox, {}))

    expect(world.exchange.sent).toEqual(['Set-CASMailbox'])
    expect(await world.changes(mailbox)).toMatchObject([{ state: 'written' }])
  })
})
