import { readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { ComposeProject } from './compose-project.ts'
import { describeWithEngine } from './needs-engine.ts'
import type { Ended } from './run-program.ts'

const POLL_MS = 250
const RESTARTS = 5
/** An engine waits 100 ms before it starts a container again, and twice as long each time after that. */
const RESTARTS_MS_MIN = 100 + 200 + 400 + 800

describeWithEngine('a container that cannot start', { timeout: 200_000 }, () => {
  let project: ComposeProject

  beforeAll(async () => {
    project = await ComposeProject.create({ devices: 60, latencyMs: 5 })
    await project.up('rabbitmq', 'postgres')
    await project.must(['up', '--no-deps', 'migrate'])
    await project.must(['up', '--no-deps', 'topology'])
  }, 600_000)
  afterAll(() => project?.[Symbol.asyncDispose](), 200_000)

  /** Runs one container of the service, with these variables, until it ends by itself. */
  const runOnce = (service: string, env: Record<string, string>): Promise<Ended> => {
    const variables = Object.entries({ GATEHOUSE_WORKER_START_SECONDS: '3', ...env }).flatMap(([name, value]) => [
      '-e',
      `${name}=${value}`,
    ])
    return project.run(['run', '--rm', '--no-deps', '-T', ...variables, service])
  }
  /** What a worker says last. */
  const lastLineOf = ({
    err,
    out,
  }: Ended): { level: number; msg: string; reason: string; code?: string; err?: { stack?: string } } => {
    const lines = `${out}\n${err}`.split('\n').filter((line) => line.startsWith('{"level"'))
    return JSON.parse(lines.at(-1) ?? '{}')
  }

  it('is told about by compose itself where `gatehouse init` was not run', async () => {
    const ended = await project.run(['config'], undefined, { GATEHOUSE_FILES: '' })

    expect(ended.code).not.toBe(0)
    expect(ended.err).toContain('gatehouse init')
  })

  it('names the secret that is missing', async () => {
    const path = join(project.directory, 'secrets', 'mail-password')
    const secret = await readFile(path, 'utf8')
    await rm(path)
    const ended = await project.run(['up', '-d', '--no-deps', 'notification'])
    await writeFile(path, secret, { mode: 0o444 })

    expect(ended.code).not.toBe(0)
    expect(ended.err).toContain('secrets/mail-password')
  })

  it('names the secret that is empty, with exit code 2', async () => {
    const path = join(project.directory, 'secrets', 'broker', 'gh-notification')
    const secret = await readFile(path, 'utf8')
    await rm(path)
    await writeFile(path, '', { mode: 0o444 })
    const ended = await runOnce('notification', {})
    await rm(path)
    await writeFile(path, secret, { mode: 0o444 })

    expect(ended.code).toBe(2)
    expect(lastLineOf(ended).reason).toContain('/run/secrets/broker/gh-notification')
  })

  it('names the port that is in use', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await new Promise((resolve) => server.once('listening', resolve))
    const { port } = server.address() as { port: number }
    const ended = await project.run(['up', '-d', '--no-deps', 'control'], undefined, { GATEHOUSE_API_PORT: String(port) })
    server.close()

    expect(ended.code).not.toBe(0)
    expect(ended.err).toMatch(new RegExp(`127\\.0\\.0\\.1:${port}.*(in use|already allocated)`))
  })

  it('waits for a virtual host with our topology, then says which is missing and what to do', async () => {
    const ended = await runOnce('discovery', { GATEHOUSE_BROKER_URL: 'amqp://rabbitmq:5672/another' })

    expect([2, 3]).toContain(ended.code)
    expect(lastLineOf(ended).reason).toMatch(/another/)
    expect(lastLineOf(ended).reason).toContain('gatehouse topology apply')
  })

  it('waits for a broker that is not there, and ends with 3', async () => {
    const ended = await runOnce('discovery', { GATEHOUSE_BROKER_URL: 'amqp://rabbitmq:5999/gatehouse' })

    expect(ended.code).toBe(3)
    expect(lastLineOf(ended)).toMatchObject({ level: 60 })
    expect(lastLineOf(ended).err?.stack).toBeUndefined()
  })

  it('does not work with a database of a later build that says it must not', async () => {
    await project.psql(`insert into kysely_migration (name, timestamp) values ('9998-notes', now()), ('9999-names-away', now());
      insert into schema_requirements (migration, requires) values ('9998-notes', null), ('9999-names-away', '9998-notes')`)
    const worker = await runOnce('discovery', {})
    const migrate = await runOnce('migrate', {})
    await project.psql(
      `delete from kysely_migration where name like '999%'; delete from schema_requirements where migration like '999%'`,
    )

    expect(worker.code).toBe(1)
    expect(lastLineOf(worker).reason).toContain('9999-names-away')
    expect(migrate.code).toBe(1)
    expect(migrate.err).toMatch(/^gatehouse: .*9999-names-away.*$/m)
  })

  it('is started again more and more slowly, and shows why', async ({ signal }) => {
    const path = join(project.directory, 'gatehouse.yaml')
    const settings = await readFile(path, 'utf8')
    await writeFile(path, settings.replace('policy:', 'policy:\n  enabled: perhaps'))
    const startedAt = Date.now()
    await project.must(['up', '-d', '--no-deps', 'notification'])
    let restarts = 0
    while (restarts < RESTARTS) {
      await delay(POLL_MS, undefined, { signal })
      restarts = Number((await project.docker('inspect', '--format', '{{.RestartCount}}', await idOf('notification'))).trim())
    }
    const elapsedMs = Date.now() - startedAt
    const exitCode = (await project.docker('inspect', '--format', '{{.State.ExitCode}}', await idOf('notification'))).trim()
    const logs = await project.must(['logs', '--no-log-prefix', 'notification'])
    await project.must(['rm', '--stop', '--force', 'notification'])
    await writeFile(path, settings)

    expect(elapsedMs).toBeGreaterThan(RESTARTS_MS_MIN)
    expect(['0', '2']).toContain(exitCode)
    expect(logs).toContain('policy.enabled: \\"perhaps\\"')
  })

  const idOf = async (service: string): Promise<string> => (await project.must(['ps', '--all', '--quiet', service])).trim()
})
