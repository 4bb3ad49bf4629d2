import { spawnSync } from 'node:child_process'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../../test/environment/create-test-database.ts'
import {
  createAdmission,
  createDatabase,
  createRunspaceLeases,
  leaseHolderOf,
  readOrphanLeases,
  type Store,
} from '../src/index.ts'

const shell = { shellId: 'A', url: 'https://ex1/PowerShell/', cookie: undefined }
let database: TestDatabase
let store: Store

beforeAll(async () => {
  database = await createTestDatabase()
  store = createDatabase({ url: database.url, applicationName: 'test', connectionsMax: 2, onConnectionError: () => {} })
})

afterAll(async () => {
  await store?.[Symbol.asyncDispose]()
  await database?.[Symbol.asyncDispose]()
})

it('only the leases of processes that are certainly dead are orphans', async () => {
  const ours = leaseHolderOf('enforcement')
  const [host, namespace] = ours.split(' ')
  const { pid: dead } = spawnSync(process.execPath, ['-e', ''])
  const holders = {
    earlier: ours,
    dead: `${host} ${namespace} ${dead} discovery`,
    living: `${host} ${namespace} ${process.ppid} discovery`,
    elsewhere: `other ${namespace} ${dead} discovery`,
    container: `${host} pid:[1] ${dead} discovery`,
  }
  const ids = new Map<string, string>()
  for (const [name, holder] of Object.entries(holders)) {
    const options = { pool: store.pool, account: 'a', holder, shellsMax: 9, idleTimeoutMs: 60_000, admit: createAdmission(2) }
    const leases = createRunspaceLeases(options)
    const lease = await leases.acquire(AbortSignal.timeout(10_000))
    await lease?.attach(shell)
    ids.set(lease?.id ?? '', name)
  }

  const orphans = await readOrphanLeases(store.pool, 'a', ours)

  expect(orphans.map(({ id }) => ids.get(id)).toSorted()).toEqual(['dead', 'earlier'])
  expect(orphans[0]?.shell).toMatchObject({ shellId: 'A' })
})
