import type { BrokerStats, ConsumerStats } from '@gatehouse/broker'
import { expect, it } from 'vitest'
import { createWorkerStateReader } from './worker-state.ts'

const consumer: ConsumerStats = {
  service: 'enforcement',
  running: 12,
  waiting: 6,
  subscribed: 4,
  limit: 72,
  ceiling: 72,
  handled: 0,
  held: undefined,
  oldestReceivedAt: undefined,
  oldestSentAt: undefined,
}
const stats = (consumers: ConsumerStats[]): BrokerStats => ({
  state: 'ready',
  blocked: undefined,
  blockedMs: 0,
  unconfirmed: 0,
  toPublish: 0,
  refused: 0,
  refusedKey: undefined,
  consumers,
})

it('says how many messages a second were handled since it was asked last', () => {
  let handled = 0
  let nowMs = 0
  const read = createWorkerStateReader({
    stats: () => stats([{ ...consumer, handled }]),
    resources: () => [],
    nowMs: () => nowMs,
  })
  nowMs = 2_000
  handled = 240
  expect(read().consumer?.handledPerSecond).toBe(120)
  nowMs = 4_000
  expect(read().consumer?.handledPerSecond).toBe(0)
})

it('has no consumer before the worker consumes', () => {
  const read = createWorkerStateReader({ stats: () => stats([]), resources: () => [], nowMs: () => 0 })

  expect(read().consumer).toBeUndefined()
})
