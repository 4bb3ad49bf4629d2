import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connectBroker } from '@gatehouse/broker'
import { afterAll, describe, expect, it } from 'vitest'
import { createTestDatabase } from '../../../test/environment/create-test-database.ts'
import { createVhost } from '../../../test/environment/create-vhost.ts'
import { SETTINGS_ENV, startProcess } from '../../../test/environment/start-process.ts'

const WORKER = join(import.meta.dirname, 'fixtures/discovery-worker.ts')

const folder = mkdtempSync(join(tmpdir(), 'gatehouse-test-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const ids = { organizationId: '0d7a3a34-8e1c-4c4b-9c57-0c8b4d6c2b11', syncRunId: '1d7a3a34-8e1c-4c4b-9c57-0c8b4d6c2b12' }

describe('a worker with a real broker and a real database', () => {
  it('serves, shows what it did in its metrics, and finishes the message in hand before it stops', async () => {
    await using vhost = await createVhost()
    await using database = await createTestDatabase()
    const env = { ...SETTINGS_ENV, GATEHOUSE_BROKER_URL: vhost.amqpUrl, GATEHOUSE_DATABASE_URL: database.url }
    const worker = startProcess(WORKER, env)
    const { healthUrl } = JSON.parse(await worker.line('{"ready"')) as { healthUrl: string }
    expect(await (await fetch(`${healthUrl}/readyz`)).json()).toEqual({ worker: 'well', broker: 'well', database: 'well' })
    await using broker = await connectBroker(
      {
        url: vhost.amqpUrl,
        connectionName: 'test',
        log: { info() {}, warn() {}, error() {}, debug() {} },
        unconfirmedMax: 1,
        prefetchMax: 1,
        maxAttempts: 1,
        laterAgeMsMax: 1_000,
      },
      AbortSignal.timeout(10_000),
    )
    const publish = () =>
      broker.publish(
        'discovery.sync',
        { ...ids, syncType: 'fullSync' },
        { lane: 'urgent', signal: AbortSignal.timeout(10_000) },
      )
    await publish()
    await worker.line('handled')
    await expect
      .poll(async () => (await fetch(`${healthUrl}/metrics`)).text())
      .toContain('gatehouse_messages_handled_total{type="discovery.sync",outcome="done",worker="discovery"} 1')
    worker.lines.length = 0
    await publish()
    await worker.line('handling')

    worker.child.kill('SIGTERM')

    expect([await worker.code, worker.lines]).toEqual([0, ['handling', 'handled']])
    expect(worker.errors()).not.toContain('Something still holds')
    expect(worker.errors()).not.toContain(new URL(vhost.amqpUrl).password)
  })

  it('exits 3 when the database has no tables yet, and says what to do', async () => {
    await using vhost = await createVhost({ topology: false })
    await using database = await createTestDatabase({ migrated: false })
    const env = {
      ...SETTINGS_ENV,
      GATEHOUSE_BROKER_URL: vhost.amqpUrl,
      GATEHOUSE_DATABASE_URL: database.url,
      GATEHOUSE_WORKER_START_SECONDS: '2',
    }

    const worker = startProcess(WORKER, env)

    expect(await worker.code).toBe(3)
    expect(worker.errors()).toContain('gatehouse migrate')
  })

  it('exits 3 when neither the broker nor the database is there', async () => {
    const worker = startProcess(WORKER, {
      ...SETTINGS_ENV,
      GATEHOUSE_BROKER_URL: 'amqp://127.0.0.1:1/none',
      GATEHOUSE_DATABASE_URL: 'postgres://127.0.0.1:1/none',
      GATEHOUSE_WORKER_START_SECONDS: '1',
    })

    expect(await worker.code).toBe(3)
    expect(worker.errors()).toContain('ECONNREFUSED')
  })

  it('exits 2 when the password of its broker user is not there', async () => {
    writeFileSync(join(folder, 'gh-control'), 'x')
    const worker = startProcess(WORKER, { ...SETTINGS_ENV, GATEHOUSE_BROKER_USERS_PASSWORD_DIRECTORY: folder })

    expect(await worker.code).toBe(2)
    expect(worker.errors()).toContain('gh-discovery cannot be read')
  })
})
