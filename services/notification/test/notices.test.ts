import { randomUUID } from 'node:crypto'
import type { Mail, MailSender } from '@gatehouse/mail'
import { PermanentError, RetryableError } from '@gatehouse/messages'
import { AdvisoryLocks, createDatabase, type Store } from '@gatehouse/store'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../../test/environment/create-test-database.ts'
import { handleAccessChanged } from '../src/handle-access-changed.ts'
import { handleSendNotice } from '../src/handle-send-notice.ts'
import type { NotificationDeps } from '../src/notification-deps.ts'
import { createOutbox } from '../src/outbox.ts'

const signal = AbortSignal.timeout(120_000)
const log = { debug() {}, info() {}, warn() {}, error() {} }
const ORGANIZATION = randomUUID()
const MAILBOX = randomUUID()
let database: TestDatabase
let store: Store
let locks: [AdvisoryLocks, AdvisoryLocks]

beforeAll(async () => {
  database = await createTestDatabase()
  store = createDatabase({ url: database.url, applicationName: 'test', connectionsMax: 10, onConnectionError: () => {} })
  const open = () => new AdvisoryLocks({ pool: store.pool, applicationName: 'locks', onLost: () => {} })
  locks = [open(), open()]
})

afterAll(async () => {
  for (const each of locks ?? []) await each[Symbol.asyncDispose]()
  await store?.[Symbol.asyncDispose]()
  await database?.[Symbol.asyncDispose]()
})

beforeEach(async () => {
  for (const table of ['notices', 'access_changes', 'device_partnerships', 'mailboxes', 'directory_users'] as const) {
    await store.db.deleteFrom(table).execute()
  }
  await store.db.deleteFrom('organizations').execute()
  const at = new Date()
  await store.db
    .insertInto('organizations')
    .values({ id: ORGANIZATION, name: 'contoso', report_only: false, created_at: at })
    .execute()
  await store.db
    .insertInto('mailboxes')
    .values({
      id: MAILBOX,
      organization_id: ORGANIZATION,
      distinguished_name: 'CN=a',
      primary_smtp_address: 'Zoe@contoso.com',
      display_name: 'Zoé',
      active_sync_enabled: true,
      allowed_device_ids: [],
      blocked_device_ids: [],
      observed_at: at,
    })
    .execute()
  await store.db
    .insertInto('directory_users')
    .values({
      id: 'u',
      user_principal_name: 'zoe@contoso.com',
      mail: '',
      licensed: true,
      preferred_language: 'fr-CA',
      refreshed_at: at,
    })
    .execute()
  await store.db
    .insertInto('device_partnerships')
    .values({
      id: randomUUID(),
      organization_id: ORGANIZATION,
      mailbox_id: MAILBOX,
      device_id: 'ABC',
      device_type: 'iPhone',
      device_model: 'iPhone16C2',
      device_os: 'iOS 18',
      device_user_agent: '',
      friendly_name: '<b>Zoé</b> http://evil.example',
      client_type: 'EAS',
      device_access_state: 'Allowed',
      device_access_state_reason: 'Global',
      observed_at: at,
    })
    .execute()
})

/** A sender that keeps what was sent, and fails as it is told. */
function createFakeSender(): MailSender & {
  sent: Mail[]
  failures: { before?: Error; after?: Error }[]
  delayed: Promise<void>
} {
  const sent: Mail[] = []
  const failures: { before?: Error; after?: Error }[] = []
  const sender = {
    sent,
    failures,
    delayed: Promise.resolve(),
    async send(mail: Mail) {
      const failure = failures.shift()
      if (failure?.before !== undefined) throw failure.before
      await sender.delayed
      sent.push(mail)
      if (failure?.after !== undefined) throw failure.after
    },
    wasSent: (stamp: string) => Promise.resolve(sent.some((mail) => mail.stamp === stamp)),
  }
  return sender
}

function createDeps(
  sender: MailSender,
  options: { messagesPerMinute?: number; settleMs?: number; copy?: 0 | 1 } = {},
): NotificationDeps {
  const settings = { messagesPerMinute: options.messagesPerMinute ?? 1_000, enrolUrl: 'https://portal.example/enrol' }
  const outboxes = new Map([[ORGANIZATION, createOutbox({ sender, settings, sendsMax: 4 })]])
  return {
    pool: store.pool,
    locks: locks[options.copy ?? 0],
    outboxes,
    log,
    now: () => new Date(),
    settleMs: options.settleMs ?? 0,
  }
}

async function announce(state: 'announced' | 'written' | 'superseded' = 'announced') {
  const changeId = randomUUID()
  const at = new Date()
  await store.db
    .insertInto('access_changes')
    .values({
      id: changeId,
      organization_id: ORGANIZATION,
      mailbox_id: MAILBOX,
      decision_version: 1,
      state,
      cmdlet: 'Set-CASMailbox',
      plan: JSON.stringify({ allowAdd: [], allowRemove: [], blockAdd: ['abc'], blockRemove: [] }),
      old_allowed: [],
      old_blocked: [],
      new_allowed: [],
      new_blocked: ['abc'],
      announced_at: at,
    })
    .execute()
  return {
    type: 'access.changed',
    version: 1,
    messageId: randomUUID(),
    at: at.toISOString(),
    organizationId: ORGANIZATION,
    mailboxId: MAILBOX,
    changeId,
  } as const
}

const handle = (message: Awaited<ReturnType<typeof announce>>, deps: NotificationDeps) =>
  handleAccessChanged(message, deps, { lane: 'bulk' }, signal)
const readNotices = () => store.db.selectFrom('notices').selectAll().execute()

describe('the notice of an announced block', () => {
  it('goes out at once, in the language of the user, with nothing a phone could have made up as markup', async () => {
    const sender = createFakeSender()

    const outcome = await handle(await announce(), createDeps(sender))

    const [notice] = await readNotices()
    expect(outcome.kind).toBe('done')
    expect(notice).toMatchObject({ state: 'sent', locale: 'fr', attempts: 1, problem: null })
    expect(sender.sent).toHaveLength(1)
    expect(sender.sent[0]).toMatchObject({ to: 'Zoe@contoso.com', stamp: notice?.id })
    expect(sender.sent[0]?.html).toContain('Bonjour Zoé')
    expect(sender.sent[0]?.html).toContain('&lt;b&gt;Zoé&lt;/b&gt; http: /evil\u2024example (iPhone16C2, iOS 18)')
  })

  it('is sent once when its message comes twice, also at the same time to two copies', async () => {
    const sender = createFakeSender()
    const gate = Promise.withResolvers<void>()
    sender.delayed = gate.promise
    const message = await announce()

    const both = ([0, 1] as const).map((copy) => createDeps(sender, { copy })).map((deps) => handle(message, deps))
    await Promise.race(both)
    gate.resolve()
    const outcomes = await Promise.all(both)
    const again = await handle(message, createDeps(sender))

    expect(outcomes.map((outcome) => outcome.kind).sort()).toEqual(['done', 'later'])
    expect(again.kind).toBe('done')
    expect(sender.sent).toHaveLength(1)
    expect(await readNotices()).toHaveLength(1)
  })

  it('is not sent again when the answer was lost after the server took it', async () => {
    const sender = createFakeSender()
    sender.failures.push({ after: new RetryableError('ews-answer-lost', 'x', { detail: { scope: 'server', sent: 'maybe' } }) })
    const message = await announce()

    await expect(handle(message, createDeps(sender))).rejects.toThrow(RetryableError)
    const [between] = await readNotices()
    const again = await handle(message, createDeps(sender))

    expect(between).toMatchObject({ state: 'sending', problem: { code: 'ews-answer-lost' } })
    expect(again.kind).toBe('done')
    expect(sender.sent).toHaveLength(1)
    expect(await readNotices()).toMatchObject([{ state: 'sent', problem: null }])
  })

  it('is sent when the answer was lost and the server had not taken it, but not before Sent Items can be trusted', async () => {
    const sender = createFakeSender()
    sender.failures.push({ before: new RetryableError('ews-answer-lost', 'x', { detail: { scope: 'server', sent: 'maybe' } }) })
    const message = await announce()

    await expect(handle(message, createDeps(sender))).rejects.toThrow(RetryableError)
    const early = await handle(message, createDeps(sender, { settleMs: 60_000 }))
    const due = await handle(message, createDeps(sender))

    expect(early).toMatchObject({ kind: 'later', reason: 'mail-settling' })
    expect(due.kind).toBe('done')
    expect(sender.sent).toHaveLength(1)
    expect(await readNotices()).toMatchObject([{ state: 'sent', attempts: 2 }])
  })

  it('waits as long as a busy server asks, and the other notices of the organisation with it', async () => {
    const sender = createFakeSender()
    sender.failures.push({
      before: new RetryableError('ews-error-server-busy', 'x', {
        retryAfterMs: 54_321,
        detail: { scope: 'server', sent: 'no' },
      }),
    })
    const deps = createDeps(sender)

    const first = await handle(await announce(), deps)
    const second = await handle(await announce(), deps)

    expect(first).toEqual({ kind: 'later', afterMs: 54_321, reason: 'mail-server-busy' })
    expect(second).toMatchObject({ kind: 'later', reason: 'mail-paused' })
    expect((await readNotices()).map((notice) => notice.state)).toEqual(['pending', 'pending'])
  })

  it('fails for good when the recipient is refused, so that the block need not wait', async () => {
    const sender = createFakeSender()
    sender.failures.push({
      before: new PermanentError('ews-error-invalid-recipients', 'x', { detail: { scope: 'recipient', sent: 'no' } }),
    })

    const outcome = await handle(await announce(), createDeps(sender))

    expect(outcome.kind).toBe('done')
    expect(await readNotices()).toMatchObject([{ state: 'failed', problem: { code: 'ews-error-invalid-recipients' } }])
  })

  it('waits when the account is refused, and pauses the organisation only when a second notice says the same', async () => {
    const sender = createFakeSender()
    const refused = () => ({
      before: new PermanentError('ews-unauthorized', 'x', { detail: { scope: 'account', sent: 'no' } }),
    })
    sender.failures.push(refused(), refused())
    const deps = createDeps(sender)

    const outcomes = [
      await handle(await announce(), deps),
      await handle(await announce(), deps),
      await handle(await announce(), deps),
    ]

    expect(outcomes.map((outcome) => outcome.kind === 'later' && outcome.reason)).toEqual([
      'mail-account',
      'mail-account',
      'mail-paused',
    ])
    expect(await readNotices()).toMatchObject([{ state: 'pending' }, { state: 'pending' }, { state: 'pending' }])
  })

  it('is not sent in report-only mode, without mail, or when the block was given up', async () => {
    const sender = createFakeSender()
    await store.db.updateTable('organizations').set({ report_only: true }).execute()

    const reportOnly = await handle(await announce(), createDeps(sender))
    const withoutMail = await handle(await announce(), { ...createDeps(sender), outboxes: new Map() })
    await handle(await announce('superseded'), createDeps(sender))

    expect([reportOnly.kind, withoutMail.kind]).toEqual(['done', 'done'])
    expect((await readNotices()).map((notice) => notice.state)).toEqual(['suppressed', 'suppressed'])
    expect(sender.sent).toEqual([])
  })

  it('is given up with its block when it still waits', async () => {
    const sender = createFakeSender()
    sender.failures.push({ before: new RetryableError('x', 'x', { retryAfterMs: 1, detail: { sent: 'no' } }) })
    const message = await announce()
    await handle(message, createDeps(sender))
    await store.db.updateTable('access_changes').set({ state: 'superseded' }).execute()

    const outcome = await handle(message, createDeps(sender))

    expect(outcome.kind).toBe('done')
    expect(await readNotices()).toMatchObject([{ state: 'suppressed' }])
    expect(sender.sent).toEqual([])
  })

  it('keeps the rate of the organisation across copies, and gives each waiting notice a turn of its own', async () => {
    const sender = createFakeSender()
    const copies = ([0, 1] as const).map((copy) => createDeps(sender, { messagesPerMinute: 3, copy }))

    const outcomes = []
    for (let index = 0; index < 8; index += 1)
      outcomes.push(await handle(await announce(), copies[index % 2] as NotificationDeps))

    const waits = outcomes.filter((outcome) => outcome.kind === 'later')
    expect(sender.sent).toHaveLength(3)
    expect(waits.map((outcome) => outcome.reason)).toEqual(Array(5).fill('mail-rate'))
    expect(waits[0]?.afterMs).toBeGreaterThan(50_000)
    expect((waits[4]?.afterMs ?? 0) - (waits[0]?.afterMs ?? 0)).toBeGreaterThan(35_000)
  })

  it('is sent also when the block was written before its turn came', async () => {
    const sender = createFakeSender()

    const outcome = await handle(await announce('written'), createDeps(sender))

    expect(outcome.kind).toBe('done')
    expect(sender.sent).toHaveLength(1)
  })
})

describe('notification.send-notice', () => {
  it('sends a stored notice once', async () => {
    const sender = createFakeSender()
    sender.failures.push({ before: new RetryableError('x', 'x', { retryAfterMs: 1, detail: { sent: 'no' } }) })
    await handle(await announce(), createDeps(sender))
    const [notice] = await readNotices()
    const message = {
      type: 'notification.send-notice',
      version: 1,
      messageId: randomUUID(),
      at: new Date().toISOString(),
      noticeId: notice?.id ?? '',
    } as const

    const outcomes = [1, 2].map(() => handleSendNotice(message, createDeps(sender), { lane: 'urgent' }, signal))

    expect((await Promise.all(outcomes)).some((outcome) => outcome.kind === 'done')).toBe(true)
    expect(sender.sent).toHaveLength(1)
  })

  it('refuses a notice that is not stored', async () => {
    const message = {
      type: 'notification.send-notice',
      version: 1,
      messageId: randomUUID(),
      at: new Date().toISOString(),
      noticeId: randomUUID(),
    } as const

    await expect(handleSendNotice(message, createDeps(createFakeSender()), { lane: 'bulk' }, signal)).rejects.toThrow(
      PermanentError,
    )
  })
})
