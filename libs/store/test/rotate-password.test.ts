import { expect, it } from 'vitest'
import { createDatabaseRole } from '../../../test/environment/create-database-role.ts'
import { createTestDatabase } from '../../../test/environment/create-test-database.ts'
import { AdvisoryLocks, createDatabase, isDatabaseUnreachable } from '../src/index.ts'

it('goes on when its password is changed: connections stay, new ones hold until they are told the new one', async () => {
  await using database = await createTestDatabase()
  await using role = await createDatabaseRole(database)
  let url = role.urlOf(database.url)
  const options = { applicationName: 'gatehouse-test', connectionsMax: 1, onConnectionError: () => {} }
  await using store = createDatabase({ ...options, url: () => url })
  await using locks = new AdvisoryLocks({ pool: store.pool, applicationName: 'gatehouse-test-locks', onLost: () => {} })
  await store.pool.query('select 1')
  await locks.open()

  await role.changePassword('changed')
  await store.pool.query('select 1')
  await role.endSessions()
  const refused = await untilItFails(() => store.pool.query('select 1'), '28P01')
  expect(isDatabaseUnreachable(refused)).toBe(true)

  url = role.urlOf(database.url, 'changed')
  expect((await store.pool.query<{ name: string }>('select current_user as name')).rows).toEqual([{ name: role.name }])
  using lock = await locks.tryLock('a').catch(() => locks.tryLock('a'))
  expect(lock).toBeDefined()
})

/** The first statement may find the connection that was ended, or that it is being ended. */
async function untilItFails(ask: () => Promise<unknown>, code: string): Promise<unknown> {
  for (;;) {
    const error = await ask().then(
      () => undefined,
      (cause: unknown) => cause,
    )
    if ((error as { code?: string } | undefined)?.code === code) return error
  }
}
