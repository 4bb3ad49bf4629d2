import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ALL_MIGRATIONS, type OwnMigration } from '../src/all-migrations.ts'
import { compareSchema, createDatabase, migrate, type Store } from '../src/index.ts'
import { type LocalPostgres, startLocalPostgres } from '../src/local-postgres.ts'

const directory = mkdtempSync(join(tmpdir(), 'gatehouse-test-'))
let postgres: LocalPostgres
let databases = 0

beforeAll(async () => {
  postgres = await startLocalPostgres({ directory, signal: AbortSignal.timeout(60_000), durable: false })
})

afterAll(async () => {
  await postgres.stop()
  rmSync(directory, { recursive: true, force: true })
})

const open = (url: string): Store =>
  createDatabase({ url, applicationName: 'migrate-test', connectionsMax: 2, onConnectionError: () => {} })
const createUrl = (): Promise<string> => postgres.createDatabase(`migrate_${++databases}`)

describe('migrate', () => {
  it('carries out every migration once and finds nothing to do the second time', async () => {
    await using store = open(await createUrl())

    const first = await migrate(store.db)
    const second = await migrate(store.db)

    expect(first.length).toBeGreaterThan(0)
    expect(second).toEqual([])
  })

  it('does no harm when two copies start together', async () => {
    const url = await createUrl()
    await using one = open(url)
    await using other = open(url)

    const carriedOut = await Promise.all([migrate(one.db), migrate(other.db)])

    expect(carriedOut.map((names) => names.length > 0).filter(Boolean)).toHaveLength(1)
    const { rows } = await sql`select name from kysely_migration`.execute(one.db)
    expect(rows).toHaveLength(carriedOut.flat().length)
  })

  it('makes the tables the schema names', async () => {
    await using store = open(await createUrl())
    await migrate(store.db)

    const tables = (await store.db.introspection.getTables()).map((table) => table.name)

    expect(tables).toEqual(
      expect.arrayContaining(['organizations', 'mailboxes', 'decisions', 'access_changes', 'runspace_leases', 'notices']),
    )
  })
})

/** What a build knows that comes after this one. */
const ADDING: OwnMigration = { up: (db) => sql`create table added (id int)`.execute(db).then(() => {}) }
const newerBuild = (requires?: string) => ({
  ...ALL_MIGRATIONS,
  '9001-adds': ADDING,
  '9002-takes-away': { up: () => Promise.resolve(), ...(requires !== undefined && { requires }) },
})

describe('a build that comes upon a newer database', () => {
  it('may work with it while later migrations only add, and migrates nothing', async () => {
    await using store = open(await createUrl())
    await migrate(store.db, newerBuild())

    expect(await migrate(store.db)).toEqual([])
    expect(await compareSchema(store.db)).toEqual({ missing: [], ahead: ['9001-adds', '9002-takes-away'] })
  })

  it('may work with it when it knows what a later migration requires', async () => {
    await using store = open(await createUrl())
    await migrate(store.db, newerBuild('0004-schema-requirements'))

    expect(await compareSchema(store.db)).toMatchObject({ missing: [] })
  })

  it.each(['9002-takes-away', '9001-adds'])(
    'must not when a later migration requires %s, and says what to do',
    async (requires) => {
      await using store = open(await createUrl())
      await migrate(store.db, newerBuild(requires))

      const refused = {
        code: 'database-newer',
        message: expect.stringMatching(new RegExp(`9002-takes-away needs builds that know ${requires}.* ends at 0004-`)),
      }
      await expect(compareSchema(store.db)).rejects.toMatchObject(refused)
      await expect(migrate(store.db)).rejects.toMatchObject(refused)
    },
  )

  it('must not when the later migration is none of ours', async () => {
    await using store = open(await createUrl())
    await migrate(store.db)
    await sql`insert into kysely_migration (name, timestamp) values ('9009-foreign', '2026')`.execute(store.db)

    await expect(migrate(store.db)).rejects.toMatchObject({ code: 'database-newer' })
  })

  it('names what an older database lacks, all of it in an empty one', async () => {
    await using store = open(await createUrl())

    expect(await compareSchema(store.db)).toEqual({ missing: Object.keys(ALL_MIGRATIONS), ahead: [] })
    await migrate(store.db)
    expect(await compareSchema(store.db, newerBuild())).toEqual({ missing: ['9001-adds', '9002-takes-away'], ahead: [] })
  })

  it('does no harm when it migrates at the same time as the newer one', async () => {
    const url = await createUrl()
    await using one = open(url)
    await using other = open(url)

    await Promise.all([migrate(one.db), migrate(other.db, newerBuild())])

    expect(await compareSchema(one.db)).toMatchObject({ missing: [], ahead: ['9001-adds', '9002-takes-away'] })
  })
})

describe('the store', () => {
  it('closes its connections when it is disposed, though only the pool itself was used', async () => {
    const store = open(await createUrl())
    await store.pool.query('select 1')

    await store[Symbol.asyncDispose]()

    expect([store.pool.ended, store.pool.totalCount]).toEqual([true, 0])
  })

  it('gives bigint columns as numbers', async () => {
    await using store = open(await createUrl())

    const { rows } = await sql<{ version: unknown }>`select 9007199254740991::bigint as version`.execute(store.db)

    expect(rows[0]?.version).toBe(9_007_199_254_740_991)
  })
})
