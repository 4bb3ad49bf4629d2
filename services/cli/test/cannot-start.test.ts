import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { createDatabaseRole } from '../../../test/environment/create-database-role.ts'
import { createTestDatabase } from '../../../test/environment/create-test-database.ts'
import { createVhost } from '../../../test/environment/create-vhost.ts'
import { fatalLineOf } from '../../../test/environment/fatal-line-of.ts'
import { migrateFurther, migrationThat } from '../../../test/environment/migrate-further.ts'
import { SETTINGS_ENV, startProcess } from '../../../test/environment/start-process.ts'

const folder = mkdtempSync(join(tmpdir(), 'gatehouse-test-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const GATEHOUSE = resolve(import.meta.dirname, '../src/main.ts')
const CONTROL = resolve(import.meta.dirname, '../../control/src/main.ts')

describe('every worker', () => {
  it('exits 2 when a secret of its own is not there, and names the file', async () => {
    await using vhost = await createVhost()
    await using database = await createTestDatabase()
    const env = {
      ...SETTINGS_ENV,
      GATEHOUSE_BROKER_URL: vhost.amqpUrl,
      GATEHOUSE_DATABASE_URL: database.url,
      GATEHOUSE_GRAPH_CLIENT_SECRET_FILE: join(folder, 'no-client-secret'),
      GATEHOUSE_ORGANIZATIONS_0_EXCHANGE_PASSWORD_FILE: join(folder, 'no-exchange-password'),
      GATEHOUSE_ORGANIZATIONS_0_MAIL_PASSWORD_FILE: join(folder, 'no-mail-password'),
      GATEHOUSE_CONTROL_TOKEN_FILE: join(folder, 'no-token'),
    }
    const missing = {
      control: 'no-token',
      discovery: 'no-exchange-password',
      'compliance-lookup': 'no-client-secret',
      enforcement: 'no-exchange-password',
      notification: 'no-mail-password',
    }

    for (const [name, file] of Object.entries(missing)) {
      const worker = startProcess(resolve(import.meta.dirname, `../../${name}/src/main.ts`), env)
      const readyOrCode = await Promise.race([worker.code, worker.line('{"ready"')])
      worker.child.kill('SIGKILL')
      expect([name, readyOrCode]).toEqual([name, 2])
      expect(fatalLineOf(worker.errors())).toContain(`${file} cannot be read: ENOENT`)
    }
  })

  it('exits 2 when a file of certificate authorities is not there', async () => {
    await using vhost = await createVhost()
    await using database = await createTestDatabase()
    const password = join(folder, 'password')
    writeFileSync(password, 'x')
    const worker = startProcess(resolve(import.meta.dirname, '../../notification/src/main.ts'), {
      ...SETTINGS_ENV,
      GATEHOUSE_BROKER_URL: vhost.amqpUrl,
      GATEHOUSE_DATABASE_URL: database.url,
      GATEHOUSE_ORGANIZATIONS_0_MAIL_PASSWORD_FILE: password,
      GATEHOUSE_ORGANIZATIONS_0_MAIL_CA_FILE: join(folder, 'no-authorities'),
    })

    expect(await worker.code).toBe(2)
    expect(fatalLineOf(worker.errors())).toContain('no-authorities cannot be read: ENOENT')
  })
})

describe('control', () => {
  it('exits 2 when somebody else has the port of its API, or its address is not of this machine', async () => {
    await using vhost = await createVhost()
    await using database = await createTestDatabase()
    const tokenFile = join(folder, 'token')
    writeFileSync(tokenFile, 'token')
    const other = createServer().listen(0, '127.0.0.1')
    await new Promise((listening) => other.once('listening', listening))
    const { port } = other.address() as { port: number }
    const env = {
      ...SETTINGS_ENV,
      GATEHOUSE_BROKER_URL: vhost.amqpUrl,
      GATEHOUSE_DATABASE_URL: database.url,
      GATEHOUSE_CONTROL_TOKEN_FILE: tokenFile,
    }

    const taken = startProcess(CONTROL, { ...env, GATEHOUSE_CONTROL_PORT: String(port) })
    expect(await taken.code).toBe(2)
    const foreign = startProcess(CONTROL, { ...env, GATEHOUSE_CONTROL_HOST: '192.0.2.1' })
    expect(await foreign.code).toBe(2)

    expect(fatalLineOf(taken.errors())).toContain(`control.port: cannot listen on 127.0.0.1:${port} (EADDRINUSE)`)
    expect(fatalLineOf(foreign.errors())).toContain('EADDRNOTAVAIL')
    await new Promise((closed) => other.close(closed))
  })
})

/** Runs the command with the settings of the environment; what it says on standard error is one line without a stack. */
async function gatehouse(
  args: string[],
  env: Record<string, string>,
): Promise<{ code: number | null; said: string; lines: string[] }> {
  const config = join(folder, 'gatehouse.yaml')
  writeFileSync(config, '')
  const run = startProcess(GATEHOUSE, { ...SETTINGS_ENV, ...env }, [...args, '--config', config])
  const code = await run.code
  expect(run.errors()).toMatch(code === 0 ? /^$/ : /^gatehouse: [^\n]+\n$/)
  return { code, said: run.errors(), lines: run.lines }
}

const migrate = (url: string) => gatehouse(['migrate'], { GATEHOUSE_DATABASE_URL: url })

describe('gatehouse migrate', () => {
  it('exits 3 when the database is not there', async () => {
    const { code, said } = await migrate('postgres://user@127.0.0.1:1/none')

    expect([code, said]).toEqual([3, expect.stringContaining('PostgreSQL cannot be reached: connect ECONNREFUSED 127.0.0.1:1')])
  })

  it('exits 2 for a wrong password, a database that does not exist, and a user without rights', async () => {
    await using database = await createTestDatabase({ migrated: false })
    await using role = await createDatabaseRole(database)
    const elsewhere = new URL(database.url)
    elsewhere.pathname = '/not_there'

    const runs = await Promise.all([role.urlOf(database.url, 'wrong'), elsewhere.href, role.urlOf(database.url)].map(migrate))

    expect(runs.map(({ code }) => code)).toEqual([2, 2, 2])
    expect(runs[0]?.said).toContain(`password authentication failed for user "${role.name}"; put the password`)
    expect(runs[1]?.said).toContain('database "not_there" does not exist; create it')
    expect(runs[2]?.said).toContain('permission denied for schema public; let Gatehouse’s user own the database')
  })

  it('exits 2 when the file with the address of the database is not there, is empty or holds something else', async () => {
    const files = ['nowhere', 'empty', 'other'].map((name) => join(folder, name))
    writeFileSync(files[1] ?? '', '\n')
    writeFileSync(files[2] ?? '', 'hunter2')

    const runs = await Promise.all(
      files.map((file) => gatehouse(['migrate'], { GATEHOUSE_DATABASE_URL: '', GATEHOUSE_DATABASE_URL_FILE: file })),
    )

    expect(runs.map(({ code }) => code)).toEqual([2, 2, 2])
    expect(runs.map(({ said }) => said).join('')).toMatch(/nowhere cannot be read: ENOENT\n.*empty is empty\n.*postgres URL/)
    expect(runs[2]?.said).not.toContain('hunter2')
  })

  it('says what a newer build has done and ends well, unless this build must not work with it', async () => {
    await using database = await createTestDatabase()
    await using store = database.open()
    const adding = { '9001-adds': migrationThat() }

    await migrateFurther(store, adding)
    const tolerated = await migrate(database.url)
    await migrateFurther(store, { ...adding, '9002-takes-away': migrationThat('9001-adds') })
    const refused = await migrate(database.url)

    expect([tolerated.code, tolerated.lines[0]]).toEqual([0, expect.stringMatching(/^Nothing to do: a newer build.*9001-adds/)])
    expect([refused.code, refused.said]).toEqual([
      1,
      expect.stringContaining('The database is newer than this build: migration 9002'),
    ])
  })
})

describe('gatehouse topology apply', () => {
  const apply = (env: Record<string, string>) => gatehouse(['topology', 'apply'], env)

  it('exits 3 when the management API is not there, and 2 without its address or with a wrong password', async () => {
    await using vhost = await createVhost({ topology: false })
    const passwordFile = join(folder, 'admin')
    writeFileSync(passwordFile, 'wrong')
    const known = { GATEHOUSE_BROKER_URL: vhost.amqpUrl, GATEHOUSE_BROKER_MANAGEMENT_URL: vhost.managementUrl }

    const away = await apply({ ...known, GATEHOUSE_BROKER_MANAGEMENT_URL: 'http://127.0.0.1:1' })
    const unnamed = await apply({ GATEHOUSE_BROKER_URL: vhost.amqpUrl })
    const refused = await apply({ ...known, GATEHOUSE_BROKER_ADMIN_PASSWORD_FILE: passwordFile })

    expect([away.code, away.said]).toEqual([3, expect.stringMatching(/Cannot reach RabbitMQ's management API.*ECONNREFUSED/)])
    expect([unnamed.code, unnamed.said]).toEqual([2, expect.stringContaining('broker.managementUrl is needed')])
    expect([refused.code, refused.said]).toEqual([2, expect.stringContaining('RabbitMQ does not know user')])
  })

  it('exits 1 when the virtual host has a queue of ours in another shape, and names it', async () => {
    await using vhost = await createVhost({ topology: false })
    const credentials = Buffer.from(`${vhost.user}:${vhost.password}`).toString('base64')
    await fetch(new URL(`/api/queues/${vhost.name}/gh.discovery`, vhost.managementUrl), {
      method: 'PUT',
      headers: { authorization: `Basic ${credentials}`, 'content-type': 'application/json', connection: 'close' },
      body: '{"durable":true}',
    })

    const { code, said } = await apply({
      GATEHOUSE_BROKER_URL: vhost.amqpUrl,
      GATEHOUSE_BROKER_MANAGEMENT_URL: vhost.managementUrl,
      GATEHOUSE_BROKER_USER_PREFIX: vhost.userPrefix,
    })

    expect([code, said]).toEqual([
      1,
      expect.stringMatching(/another shape; empty and delete them.*queue gh\.discovery differs in x-queue-type/),
    ])
  })
})
