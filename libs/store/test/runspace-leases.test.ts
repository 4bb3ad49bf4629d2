import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../../test/environment/create-test-database.ts'
import { createAdmission, createDatabase, createRunspaceLeases, type Store } from '../src/index.ts'

const signal = AbortSignal.timeout(60_000)
let database: TestDatabase
let store: Store

beforeAll(async () => {
  database = await createTestDatabase()
  store = createDatabase({ url: database.url, applicationName: 'test', connectionsMax: 10, onConnectionError: () => {} })
})

afterAll(async () => {
  await store?.[Symbol.asyncDispose]()
  await database?.[Symbol.asyncDispose]()
})

beforeEach(async () => {
  await store.pool.query('delete from runspace_leases')
})

const admit = createAdmission(2)
const leasesOf = (account: string, holder: string, idleTimeoutMs = 120_000) =>
  createRunspaceLeases({ pool: store.pool, account, holder, shellsMax: 3, idleTimeoutMs, admit })

describe('leases of shells', () => {
  it('never exceed the budget of an account, however many ask at once', async () => {
    const [one, two] = [leasesOf('contoso', 'one'), leasesOf('contoso', 'two')]

    const asked = await Promise.all(Array.from({ length: 10 }, (_, index) => (index % 2 ? one : two).acquire(signal)))

    expect(asked.filter((lease) => lease !== undefined)).toHaveLength(3)
    expect(await leasesOf('fabrikam', 'one').acquire(signal)).toBeDefined()
  })

  it('are free again when the shell was deleted, but not when it was only given up', async () => {
    const leases = leasesOf('contoso', 'one')
    const [first, second] = [await leases.acquire(signal), await leases.acquire(signal), await leases.acquire(signal)]

    await first?.abandon()
    expect(await leases.acquire(signal)).toBeUndefined()
    await second?.release()
    expect(await leases.acquire(signal)).toBeDefined()
  })

  it('run out when their holder died, and not while it renews them', async () => {
    const leases = leasesOf('contoso', 'one')
    const renewed = await leases.acquire(signal)
    await leases.acquire(signal)
    await leases.acquire(signal)
    await store.pool.query("update runspace_leases set expires_at = now() - interval '1 second'")

    await renewed?.renew()

    expect(await leases.acquire(signal)).toBeDefined()
    expect(await leases.acquire(signal)).toBeDefined()
    expect(await leases.acquire(signal)).toBeUndefined()
  })

  it('say which shell they are for', async () => {
    const lease = await leasesOf('contoso', 'one').acquire(signal)
    const shell = { shellId: 'A', url: 'https://ex1/PowerShell/', cookie: 'MS-WSMAN=1' }

    await lease?.attach(shell)

    const { rows } = await store.pool.query<{ shell: unknown }>('select shell from runspace_leases where id = $1', [lease?.id])
    expect(rows[0]?.shell).toEqual(shell)
  })

  it('of hundreds of accounts are taken and given back at once with few connections', async () => {
    const few = createDatabase({
      url: database.url,
      applicationName: 'test',
      connectionsMax: 3,
      connectMs: 100,
      onConnectionError: () => {},
    })
    await using _few = few
    const shared = createAdmission(2)
    const accounts = Array.from({ length: 600 }, (_, index) =>
      createRunspaceLeases({
        pool: few.pool,
        account: `a${index}`,
        holder: 'one',
        shellsMax: 3,
        idleTimeoutMs: 60_000,
        admit: shared,
      }),
    )

    const leases = await Promise.all(accounts.map((account) => account.acquire(signal)))
    await Promise.all(leases.map((lease) => lease?.release()))

    expect(leases.every((lease) => lease !== undefined)).toBe(true)
    expect((await store.pool.query('select 1 from runspace_leases')).rowCount).toBe(0)
  })
})
