import { connectBroker, UNROUTED } from '@gatehouse/broker'
import { expect, it } from 'vitest'
import { createVhost } from '../../../test/environment/create-vhost.ts'
import { createDepthReader } from '../src/status/queue-depths.ts'
import { startDepthWatch } from '../src/status/start-depth-watch.ts'

const signal = AbortSignal.timeout(60_000)
const log = { debug() {}, info() {}, warn() {}, error() {} }

async function start(stack: AsyncDisposableStack) {
  const vhost = stack.use(await createVhost())
  const broker = stack.use(
    await connectBroker(
      {
        url: vhost.amqpUrl,
        connectionName: 'test',
        log,
        unconfirmedMax: 50,
        prefetchMax: 50,
        maxAttempts: 3,
        laterAgeMsMax: 60_000,
      },
      signal,
    ),
  )
  const publish = (exchange: string, messageId: string) =>
    broker.publishRaw(
      { exchange, routingKey: 'bulk.nobody.does-this.v1', content: Buffer.from('{}'), messageId, type: 'x', headers: {} },
      signal,
    )
  return { broker, publish }
}

it('raises the alarm once when messages came that no queue takes, and again when more come', async () => {
  await using stack = new AsyncDisposableStack()
  const { broker, publish } = await start(stack)
  const alarms: number[] = []
  const raised = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  const gauges = new Map<string, number>()
  await publish('gh.commands', 'one')
  stack.use(
    startDepthWatch({
      read: createDepthReader(broker, Date.now),
      set: (queue, ready) => gauges.set(queue, ready),
      everyMs: 600,
      log: {
        debug() {},
        error: (fields: object) => {
          alarms.push((fields as { count: number }).count)
          raised[alarms.length - 1]?.resolve()
        },
      },
    }),
  )

  await raised[0]?.promise
  await publish('gh.commands', 'two')
  await raised[1]?.promise

  expect(alarms).toEqual([1, 2])
  expect(gauges.get(UNROUTED)).toBe(2)
  expect(gauges.get('gh.enforcement')).toBe(0)
  expect(gauges.size).toBe(5 * 5 + 14 + 1)
})

it('knows the depth of every other queue when one is missing', async () => {
  await using stack = new AsyncDisposableStack()
  const { broker } = await start(stack)
  const channel = await broker.openChannel(signal)
  await channel.deleteQueue('gh.discovery')

  const depths = await createDepthReader(broker, Date.now)(signal)

  expect(depths.has('gh.discovery')).toBe(false)
  expect(depths.get('gh.notification')).toBe(0)
  expect(depths.size).toBe(5 * 5 + 14)
  await channel.close()
})
