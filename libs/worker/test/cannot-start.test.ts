import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { migrate } from '@gatehouse/store'
import { afterAll, describe, expect, it } from 'vitest'
import { createDatabaseRole } from '../../../test/environment/create-database-role.ts'
import { createTestDatabase } from '../../../test/environment/create-test-database.ts'
import { createVhost } from '../../../test/environment/create-vhost.ts'
import { fatalLineOf } from '../../../test/environment/fatal-line-of.ts'
import { migrateFurther, migrationThat } from '../../../test/environment/migrate-further.ts'
import { SETTINGS_ENV, startProcess } from '../../../test/environment/start-process.ts'
import { until } from '../../../test/environment/until.ts'

const WORKER = join(import.meta.dirname, 'fixtures/discovery-worker.ts')
const folder = mkdtempSync(join(tmpdir(), 'gatehouse-test-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

type Env = Record<string, string>

/** A worker that gives up after a few seconds: its exit code, and its one line at level fatal. */
async function failToStart(env: Env): Promise<[code: number | null, said: string]> {
  const worker = startProcess(WORKER, { ...SETTINGS_ENV, GATEHOUSE_WORKER_START_SECONDS: '3', ...env })
  const code = await worker.code
  return [code, fatalLineOf(worker.errors())]
}

describe('a worker and its secrets', () => {
  it('exits 2 when a secret that it needs at the start is not there, is empty, or is a folder', async () => {
    writeFileSync(join(folder, 'empty'), '\n')
    const [missing, empty, directory] = await Promise.all(
      [join(folder, 'nowhere'), join(folder, 'empty'), folder].map((file) =>
        failToStart({ GATEHOUSE_DATABASE_URL: '', GATEHOUSE_DATABASE_URL_FILE: file }),
      ),
    )

    expect(missing).toEqual([2, expect.stringContaining('nowhere cannot be read: ENOENT')])
    expect(empty).toEqual([2, expect.stringContaining('empty is empty')])
    expect(directory).toEqual([2, expect.stringContaining('cannot be read: EISDIR')])
  })

  it('exits 2 when the password of its broker user is not there', async () => {
    const failed = await failToStart({ GATEHOUSE_BROKER_USERS_PASSWORD_DIRECTORY: folder })

    expect(failed).toEqual([2, expect.stringContaining('gh-discovery cannot be read')])
  })
})

describe('a worker and its database', () => {
  it('exits 3 when neither the broker nor the database is there', async () => {
    const failed = await failToStart({
      GATEHOUSE_BROKER_URL: 'amqp://127.0.0.1:1/none',
      GATEHOUSE_DATABASE_URL: 'postgres://user@127.0.0.1:1/none',
    })

    expect(failed).toEqual([3, expect.stringMatching(/Not reached within 3 s: PostgreSQL cannot be reached.*ECONNREFUSED/)])
  })

  it('exits 2 for a wrong password, a database that does not exist, and a user without rights', async () => {
    await using vhost = await createVhost()
    await using database = await createTestDatabase()
    await using role = await createDatabaseRole(database)
    const elsewhere = new URL(database.url)
    elsewhere.pathname = '/not_there'
    const urls = [role.urlOf(database.url, 'hunter2'), elsewhere.href, role.urlOf(database.url)]

    const [password, missing, rights] = await Promise.all(
      urls.map((url) => failToStart({ GATEHOUSE_BROKER_URL: vhost.amqpUrl, GATEHOUSE_DATABASE_URL: url })),
    )

    expect(password).toEqual([2, expect.stringContaining(`password authentication failed for user "${role.name}"`)])
    expect(missing).toEqual([2, expect.stringContaining('database "not_there" does not exist; create it')])
    expect(rights).toEqual([2, expect.stringContaining('permission denied for table kysely_migration')])
  })

  it('exits 3 when the database lacks migrations, names them, and says what to do', async () => {
    await using vhost = await createVhost()
    await using database = await createTestDatabase({ migrated: false })

    const failed = await failToStart({ GATEHOUSE_BROKER_URL: vhost.amqpUrl, GATEHOUSE_DATABASE_URL: database.url })

    expect(failed).toEqual([3, expect.stringMatching(/run gatehouse migrate \(0001-first-tables, .*0004/)])
  })

  it('starts as soon as the database is migrated', async () => {
    await using vhost = await createVhost()
    await using database = await createTestDatabase({ migrated: false })
    await using store = database.open()
    const worker = startProcess(WORKER, {
      ...SETTINGS_ENV,
      GATEHOUSE_BROKER_URL: vhost.amqpUrl,
      GATEHOUSE_DATABASE_URL: database.url,
    })
    await until(() => worker.errors().includes('"dependency":"database"'))

    await migrate(store.db)

    await worker.line('{"ready"')
    worker.child.kill('SIGTERM')
    expect(await worker.code).toBe(0)
  })

  it('works with a database that later migrations have only added to, and exits 1 at one that says it must not', async () => {
    await using vhost = await createVhost()
    await using database = await createTestDatabase()
    await using store = database.open()
    const env = { GATEHOUSE_BROKER_URL: vhost.amqpUrl, GATEHOUSE_DATABASE_URL: database.url }
    const adding = { '9001-adds': migrationThat() }
    await migrateFurther(store, adding)

    const worker = startProcess(WORKER, { ...SETTINGS_ENV, ...env })
    await worker.line('{"ready"')
    worker.child.kill('SIGTERM')
    expect(await worker.code).toBe(0)
    expect(worker.errors()).toContain('The database is newer than this build, which may still work with it')

    await migrateFurther(store, { ...adding, '9002-takes-away': migrationThat('9001-adds') })
    const refused = await failToStart(env)
    expect(refused).toEqual([1, expect.stringMatching(/newer than this build.*9002-takes-away.*9001-adds.*ends at 0004/)])
  })
})

describe('a worker and its clock', () => {
  const clockEnv = (shiftMs: number): Env => ({
    NODE_OPTIONS: `--import=${join(import.meta.dirname, 'fixtures/shift-clock.ts')}`,
    TEST_CLOCK_SHIFT_MS: String(shiftMs),
  })

  it('exits 1 when its clock is too far from that of the database, and says how far', async () => {
    await using vhost = await createVhost()
    await using database = await createTestDatabase()
    const env = { GATEHOUSE_BROKER_URL: vhost.amqpUrl, GATEHOUSE_DATABASE_URL: database.url }

    const ahead = await failToStart({ ...env, ...clockEnv(90_000) })
    const behind = await failToStart({ ...env, ...clockEnv(-5_000), GATEHOUSE_WORKER_CLOCK_SKEW_SECONDS_MAX: '1' })

    expect(ahead).toEqual([1, expect.stringMatching(/clock of this machine is [789]\d\.\d s ahead of that of PostgreSQL/)])
    expect(behind).toEqual([1, expect.stringMatching(/[345]\.\d s behind .*clockSkewSecondsMax is 1/)])
  })
})

describe('a worker and its broker', () => {
  const withUsers = (vhost: { amqpUrl: string; userPrefix: string }, password?: string): Env => {
    const [user, url] = [`${vhost.userPrefix}discovery`, new URL(vhost.amqpUrl)]
    url.username = ''
    url.password = ''
    writeFileSync(join(folder, user), password ?? user)
    return {
      GATEHOUSE_BROKER_URL: url.href,
      GATEHOUSE_BROKER_USERS_PASSWORD_DIRECTORY: folder,
      GATEHOUSE_BROKER_USER_PREFIX: vhost.userPrefix,
    }
  }

  it('exits 3 when the virtual host has no topology, and names what is missing and where', async () => {
    await using vhost = await createVhost({ topology: false })
    await using database = await createTestDatabase()

    const failed = await failToStart({ GATEHOUSE_BROKER_URL: vhost.amqpUrl, GATEHOUSE_DATABASE_URL: database.url })

    expect(failed).toEqual([
      3,
      expect.stringMatching(`Virtual host ${vhost.name} lacks queue gh\\.discovery.* and [0-9]+ more`),
    ])
    expect(failed[1]).toContain('run gatehouse topology apply')
  })

  it('exits 3 when the virtual host is not there, and 2 when its password is wrong', async () => {
    await using vhost = await createVhost()
    await using database = await createTestDatabase()
    const elsewhere = new URL(vhost.amqpUrl)
    elsewhere.pathname = '/not-there'

    const absent = await failToStart({ GATEHOUSE_BROKER_URL: elsewhere.href, GATEHOUSE_DATABASE_URL: database.url })
    const refused = await failToStart({ ...withUsers(vhost, 'hunter2'), GATEHOUSE_DATABASE_URL: database.url })

    expect(absent).toEqual([3, expect.stringMatching(/not-there: the virtual host is not there.*topology apply/)])
    expect(refused).toEqual([2, expect.stringContaining(`refuses user ${vhost.userPrefix}discovery with this password`)])
    expect(refused[1]).not.toContain('hunter2')
  })

  it('starts with the least rights as soon as the topology is applied', async () => {
    await using vhost = await createVhost({ topology: false })
    await using database = await createTestDatabase()
    const env = { ...withUsers(vhost), GATEHOUSE_DATABASE_URL: database.url }
    const worker = startProcess(WORKER, { ...SETTINGS_ENV, ...env })
    await until(() => worker.errors().includes('Cannot connect to RabbitMQ'))

    await vhost.applyTopology()

    await worker.line('{"ready"')
    worker.child.kill('SIGTERM')
    expect(await worker.code).toBe(0)
  })
})
