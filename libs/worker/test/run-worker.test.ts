import { join } from 'node:path'
import { connectBroker } from '@gatehouse/broker'
import { describe, expect, it } from 'vitest'
import { createTestDatabase } from '../../../test/environment/create-test-database.ts'
import { createVhost } from '../../../test/environment/create-vhost.ts'
import { SETTINGS_ENV, startProcess } from '../../../test/environment/start-process.ts'

const WORKER = join(import.meta.dirname, 'fixtures/discovery-worker.ts')

const ids = { organizationId: '0d7a3a34-8e1c-4c4b-9c57-0c8b4d6c2b11', syncRunId: '1d7a3a34-8e1c-4c4b-9c57-0c8b4d6c2b12' }

describe('a worker with a real broker and a real database', () => {
  it('serves, shows what it did in its metrics, and finishes the message in hand before it stops', async () => {
    await using vhost = await createVhost()
    await using database = await createTestDatabase()
    const env = { ...SETTINGS_ENV, GATEHOUSE_BROKER_URL: vhost.amqpUrl, GATEHOUSE_DATABASE_URL: database.url }
    const worker = startProcess(WORKER, env)
    const { healthUrl } = JSON.parse(await worker.line('{"ready"')) as { healthUrl: string }
    expect(await (await fetch(`${healthUrl}/readyz`)).json()).toEqual({
      worker: 'well',
      broker: 'well',
      database: 'well',
      clock: 'well',
    })
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
})
