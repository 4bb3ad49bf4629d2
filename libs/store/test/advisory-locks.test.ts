import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../../test/environment/create-test-database.ts'
import { AdvisoryLocks, createDatabase, type Store } from '../src/index.ts'

let database: TestDatabase
let store: Store

beforeAll(async () => {
  database = await createTestDatabase()
  store = createDatabase({ url: database.url, applicationName: 'test', connectionsMax: 4, onConnectionError: () => {} })
})

afterAll(async () => {
  await store?.[Symbol.asyncDispose]()
  await database?.[Symbol.asyncDispose]()
})

const create = (name: string, onLost: (error: Error) => void = () => {}) =>
  new AdvisoryLocks({ pool: store.pool, applicationName: name, onLost })

describe('advisory locks', () => {
  it('are held by one of all processes, and by one of all callers in a process', async () => {
    await using mine = create('mine')
    await using theirs = create('theirs')

    {
      using lock = await mine.tryLock('mailbox:1')
      expect(lock).toBeDefined()
      expect(await mine.tryLock('mailbox:1')).toBeUndefined()
      expect(await theirs.tryLock('mailbox:1')).toBeUndefined()
      using other = await theirs.tryLock('mailbox:2')
      expect(other).toBeDefined()
    }

    using again = await mine.tryLock('mailbox:1')
    expect(again).toBeDefined()
  })

  it('are taken and given back by the hundred at once', async () => {
    await using locks = create('many')
    const names = Array.from({ length: 500 }, (_, index) => `many:${index}`)

    for (let round = 0; round < 3; round++) {
      const held = await Promise.all(names.map((name) => locks.tryLock(name)))
      expect(held.every((lock) => lock !== undefined)).toBe(true)
      for (const lock of held) lock?.[Symbol.dispose]()
    }
  })

  it('tell their holders when the connection is lost, and are free for others then', async () => {
    const losses: Error[] = []
    await using mine = create('gatehouse-victim', (error) => losses.push(error))
    await using theirs = create('theirs')
    using lock = await mine.tryLock('mailbox:1')
    const lost = new Promise<void>((resolve) => lock?.signal.addEventListener('abort', () => resolve()))

    const client = new pg.Client({ connectionString: database.url })
    await client.connect()
    await client.query("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'gatehouse-victim'")
    await client.end()
    await lost

    expect(lock?.signal.reason).toMatchObject({ code: 'lock-connection-lost' })
    expect(losses).toHaveLength(1)
    {
      using theirLock = await theirs.tryLock('mailbox:1')
      expect(theirLock).toBeDefined()
      expect(await mine.tryLock('mailbox:1')).toBeUndefined()
    }
    // Giving back is not waited for, so the other connection may see it a moment later.
    let again = await mine.tryLock('mailbox:1')
    while (again === undefined) again = await mine.tryLock('mailbox:1')
    again[Symbol.dispose]()
  })

  it('cannot be taken once closed', async () => {
    const locks = create('closed')
    await locks[Symbol.asyncDispose]()

    await expect(locks.tryLock('mailbox:1')).rejects.toMatchObject({ code: 'lock-connection-lost' })
  })
})
