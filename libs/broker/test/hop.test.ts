import { randomUUID } from 'node:crypto'
import { done } from '@gatehouse/messages'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type BrokerUnderTest, startBrokerUnderTest } from './broker-under-test.ts'

let broker: BrokerUnderTest
beforeAll(async () => {
  broker = await startBrokerUnderTest()
}, 120_000)
afterAll(async () => {
  await broker?.[Symbol.asyncDispose]()
}, 60_000)

it("hands a published message to the service that owns it, in its lane, as that service's least-privilege user", async () => {
  await using control = await broker.connect({ as: 'control' })
  await using discovery = await broker.connect({ as: 'discovery' })
  const seen = Promise.withResolvers<unknown>()
  const syncRunId = randomUUID()
  await using _consumer = await discovery.consume({
    service: 'discovery',
    concurrency: 4,
    handlerTimeoutMs: 5_000,
    handlers: {
      'discovery.sync': async (message, context) => {
        seen.resolve({ run: message.syncRunId, lane: context.lane, attempt: context.attempt })
        return done
      },
    },
  })

  await control.publish(
    'discovery.sync',
    { organizationId: randomUUID(), syncType: 'fullSync', syncRunId },
    { lane: 'urgent', signal: broker.signal },
  )

  expect(await seen.promise).toEqual({ run: syncRunId, lane: 'urgent', attempt: 1 })
})
