import { randomUUID } from 'node:crypto'
import { connectBroker, LADDER_STEP_MS } from '../../../libs/broker/src/index.ts'
import { done, later } from '../../../libs/messages/src/index.ts'
import { type BenchBroker, brokerOptions, IN_HAND } from './hops.ts'

const LATE_MESSAGES = 400

export type Lateness = { messages: number; p50Ms: number; p99Ms: number; mostMs: number }

/** From the handler's `later` to the moment when the handler sees the message again, less the delay of the ladder. */
export async function measureLateness(broker: BenchBroker): Promise<Lateness> {
  const gatehouse = await connectBroker(brokerOptions(broker), broker.signal)
  const dueAt = new Map<string, number>()
  const late: number[] = []
  const finished = Promise.withResolvers<void>()
  await gatehouse.consume({
    service: 'notification',
    concurrency: IN_HAND,
    handlerTimeoutMs: 60_000,
    handlers: {
      'notification.send-notice': async ({ messageId }) => {
        const due = dueAt.get(messageId)
        if (due === undefined) {
          const delayMs = LADDER_STEP_MS * (1 + Math.floor(Math.random() * 24))
          dueAt.set(messageId, performance.now() + delayMs)
          return later(delayMs, 'bench')
        }
        late.push(performance.now() - due)
        if (late.length === LATE_MESSAGES) finished.resolve()
        return done
      },
    },
  })
  for (let sent = 0; sent < LATE_MESSAGES; sent++) {
    await gatehouse.publish('notification.send-notice', { noticeId: randomUUID() }, { lane: 'bulk', signal: broker.signal })
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  await finished.promise
  await gatehouse[Symbol.asyncDispose]()
  late.sort((a, b) => a - b)
  const at = (share: number): number =>
    Math.round(late[Math.min(late.length - 1, Math.floor(late.length * share))] ?? Number.NaN)
  return { messages: late.length, p50Ms: at(0.5), p99Ms: at(0.99), mostMs: at(1) }
}
