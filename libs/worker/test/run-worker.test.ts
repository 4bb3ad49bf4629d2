import { join } from 'node:path'
import { type BrokerConnection, connectBroker } from '@gatehouse/broker'
import { Tracer } from '@gatehouse/tracing'
import { describe, expect, it } from 'vitest'
import { createTestDatabase } from '../../../test/environment/create-test-database.ts'
import { createVhost } from '../../../test/environment/create-vhost.ts'
import { startOtlpCollector } from '../../../test/environment/otlp-collector.ts'
import { SETTINGS_ENV, startProcess } from '../../../test/environment/start-process.ts'

const WORKER = join(import.meta.dirname, 'fixtures/discovery-worker.ts')

const ids = { organizationId: '0d7a3a34-8e1c-4c4b-9c57-0c8b4d6c2b11', syncRunId: '1d7a3a34-8e1c-4c4b-9c57-0c8b4d6c2b12' }

/** Connects as whoever sends the worker its messages, and wants their traces recorded. */
function connect(url: string): Promise<BrokerConnection> {
  return connectBroker(
    {
      url,
      connectionName: 'test',
      log: { info() {}, warn() {}, error() {}, debug() {} },
      unconfirmedMax: 1,
      prefetchMax: 1,
      maxAttempts: 1,
      laterAgeMsMax: 1_000,
      tracer: new Tracer({ record: () => {} }),
    },
    AbortSignal.timeout(10_000),
  )
}

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
    await using broker = await connect(vhost.amqpUrl)
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

  it('sends its spans to a collector, the last ones when it stops, and does not wait for one that says nothing', async () => {
    await using vhost = await createVhost()
    await using database = await createTestDatabase()
    await using collector = await startOtlpCollector()
    const env = {
      ...SETTINGS_ENV,
      GATEHOUSE_BROKER_URL: vhost.amqpUrl,
      GATEHOUSE_DATABASE_URL: database.url,
      GATEHOUSE_TRACING_OTLP_ENDPOINT: collector.url,
    }
    await using broker = await connect(vhost.amqpUrl)
    const publish = () =>
      broker.publish(
        'discovery.sync',
        { ...ids, syncType: 'fullSync' },
        { lane: 'urgent', signal: AbortSignal.timeout(10_000) },
      )

    const worker = startProcess(WORKER, env)
    const { healthUrl } = JSON.parse(await worker.line('{"ready"')) as { healthUrl: string }
    const metrics = await (await fetch(`${healthUrl}/metrics`)).text()
    await publish()
    await worker.line('handled')
    worker.child.kill('SIGTERM')
    const code = await worker.code

    expect(metrics).toContain('gatehouse_spans_total{fate="dropped",worker="discovery"} 0')
    expect([code, collector.faults]).toEqual([0, []])
    expect(collector.spans).toMatchObject([
      {
        name: 'process gh.discovery.urgent',
        kind: 5,
        resource: { 'service.name': 'gatehouse-discovery' },
        attributes: { 'gatehouse.message.type': 'discovery.sync', 'gatehouse.message.outcome': 'done' },
      },
    ])
    const silenced = startProcess(WORKER, env)
    await silenced.line('{"ready"')
    collector.answerNext('hang')
    await publish()
    await silenced.line('handled')
    silenced.child.kill('SIGTERM')
    expect(await silenced.code).toBe(0)
  })
})
