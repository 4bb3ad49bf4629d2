import { sql } from 'kysely'
import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../../test/environment/create-test-database.ts'
import { type CuttableProxy, startCuttableProxy } from '../../../test/environment/cuttable-proxy.ts'
import { AdvisoryLocks, createDatabase, type Store } from '../src/index.ts'

let database: TestDatabase
let proxy: CuttableProxy
let direct: Store

beforeAll(async () => {
  database = await createTestDatabase()
  proxy = await startCuttableProxy(database.url)
  direct = open(database.url)
})

afterAll(async () => {
  await direct?.[Symbol.asyncDispose]()
  await proxy?.[Symbol.asyncDispose]()
  await database?.[Symbol.asyncDispose]()
})

const open = (url: string, limits: { statementMs?: number } = {}) =>
  createDatabase({ url, applicationName: 'gatehouse-test', connectionsMax: 2, onConnectionError: () => {}, ...limits })

const forgetAll = (): void => {
  for (const connection of proxy.connections) connection.forget('both')
}

describe('a lost connection to PostgreSQL', () => {
  it('fails the transaction that was thinking on it, and not the process', async () => {
    await using store = open(proxy.url)
    const clients: pg.PoolClient[] = []
    store.pool.on('connect', (client) => clients.push(client))
    const thinking = Promise.withResolvers<void>()
    const lost = Promise.withResolvers<void>()

    const work = store.db.transaction().execute(async (transaction) => {
      await sql`select 1`.execute(transaction)
      thinking.resolve()
      await lost.promise
      await sql`select 1`.execute(transaction)
    })
    work.catch(() => {})
    await thinking.promise
    const ends = clients.map((client) => new Promise((resolve) => client.once('end', resolve)))
    for (const connection of proxy.connections) connection.reset()
    await Promise.all(ends)
    lost.resolve()

    await expect(work).rejects.toThrow()
    expect((await store.pool.query('select 1 as one')).rows).toEqual([{ one: 1 }])
  })
})

describe('a connection to PostgreSQL that nothing comes back from', () => {
  it('fails its statement some time after the limit of statements, and is not used again', async () => {
    await using store = open(proxy.url, { statementMs: 200 })
    await store.pool.query('select 1')
    forgetAll()

    await expect(sql`select 1`.execute(store.db)).rejects.toThrow('has said nothing')
    expect((await store.pool.query('select 1 as one')).rows).toEqual([{ one: 1 }])
  })

  it('ends for the server too: a transaction left open there gives back what it holds', async () => {
    await using store = open(proxy.url, { statementMs: 200 })
    const work = store.db.transaction().execute(async (transaction) => {
      await sql`select pg_advisory_xact_lock(42)`.execute(transaction)
      forgetAll()
      await sql`select 1`.execute(transaction)
    })
    await expect(work).rejects.toThrow()

    await sql`select pg_advisory_xact_lock(42)`.execute(direct.db)
  })

  it('gives back the locks it holds', async () => {
    await using store = open(proxy.url)
    await using others = new AdvisoryLocks({ pool: direct.pool, applicationName: 'others', onLost: () => {} })
    await using locks = new AdvisoryLocks({ pool: store.pool, applicationName: 'locks', onLost: () => {}, silenceMs: 500 })
    using lock = await locks.tryLock('mailbox:1')
    expect(lock).toBeDefined()
    forgetAll()

    let theirs = await others.tryLock('mailbox:1')
    while (theirs === undefined) theirs = await others.tryLock('mailbox:1')
    theirs[Symbol.dispose]()
  })
})
