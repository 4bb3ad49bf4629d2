import { randomUUID } from 'node:crypto'
import { beginSending, createDatabase, insertNotice, readNotice, type Store, settleNotice } from '@gatehouse/store'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../../test/environment/create-test-database.ts'

const ORGANIZATION = randomUUID()
let database: TestDatabase
let store: Store

beforeAll(async () => {
  database = await createTestDatabase()
  store = createDatabase({ url: database.url, applicationName: 'test', connectionsMax: 10, onConnectionError: () => {} })
})

beforeEach(async () => {
  await store.db.deleteFrom('notices').execute()
})

afterAll(async () => {
  await store?.[Symbol.asyncDispose]()
  await database?.[Symbol.asyncDispose]()
})

describe('beginning to send', () => {
  const storeNotice = async (index: number) => {
    const id = randomUUID()
    const people = { mailbox_id: randomUUID(), change_id: null, recipient: 'a@contoso.com', locale: 'en' }
    const notice = { id, key: `it's ${index}`, organization_id: ORGANIZATION, ...people, template: 'block', variables: {} }
    await insertNotice(store.pool, { ...notice, state: 'pending', created_at: new Date() })
    return { id, organization_id: ORGANIZATION, state: 'pending', attempts: 0 } as const
  }

  it('is allowed exactly as often as the rate says, when many ask in the same moment', async () => {
    const notices = await Promise.all(Array.from({ length: 30 }, (_, index) => storeNotice(index)))
    const rate = { messagesMax: 7, windowMs: 60_000 }

    const answers = await Promise.all(notices.map((notice) => beginSending(store.pool, notice, rate)))

    const waits = answers.flatMap((answer) => ('waitMs' in answer ? [answer.waitMs] : []))
    expect(answers.filter((answer) => 'attempt' in answer)).toEqual(Array(7).fill({ attempt: 1 }))
    expect(await store.db.selectFrom('notices').select('id').where('state', '=', 'sending').execute()).toHaveLength(7)
    expect(Math.min(...waits)).toBeGreaterThan(50_000)
    expect(Math.max(...waits)).toBeLessThanOrEqual(60_000)
  })

  it('is refused to a copy that read the notice before another one began, and has no say in how that one ends', async () => {
    const [notice, rate] = [await storeNotice(1), { messagesMax: 100, windowMs: 60_000 }]

    const answers = await Promise.all([1, 2, 3].map(() => beginSending(store.pool, notice, rate)))
    const found = await readNotice(store.pool, notice.id)
    const second = found && (await beginSending(store.pool, found, rate))
    await settleNotice(store.pool, { id: notice.id, attempt: 1 }, { state: 'pending', problem: { code: 'late', message: '' } })
    const during = await readNotice(store.pool, notice.id)
    await settleNotice(store.pool, { id: notice.id, attempt: 1 }, { state: 'sent' })

    expect(answers.filter((answer) => 'attempt' in answer)).toEqual([{ attempt: 1 }])
    expect(second).toEqual({ attempt: 2 })
    expect(during).toMatchObject({ state: 'sending', attempts: 2, problem: null })
    expect(await readNotice(store.pool, notice.id)).toMatchObject({ state: 'sent' })
  })
})
