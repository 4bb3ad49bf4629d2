import { Counter, Gauge, type Registry } from 'prom-client'
import type { WorkerState } from './worker-state.ts'

/** The dependencies that a consumer of this project can have; every series is there from the start. */
const DEPENDENCIES = ['PostgreSQL', 'Graph', 'Exchange', 'Mail server'] as const

/** What a worker knows of its consumer and its connection, read whenever Prometheus asks. */
export function createStateMetrics(registry: Registry, read: () => WorkerState, nowMs: () => number = Date.now): void {
  const gauge = (name: string, help: string, readValue: (state: WorkerState) => number): void => {
    new Gauge({
      name,
      help,
      registers: [registry],
      collect() {
        this.set(readValue(read()))
      },
    })
  }
  const secondsSince = (ms: number | undefined): number => (ms === undefined ? 0 : Math.max(0, (nowMs() - ms) / 1_000))
  gauge('gatehouse_messages_running', 'Messages being handled', ({ consumer }) => consumer?.running ?? 0)
  gauge('gatehouse_messages_waiting', 'Messages delivered and not begun', ({ consumer }) => consumer?.waiting ?? 0)
  gauge(
    'gatehouse_messages_unacknowledged',
    'Messages that RabbitMQ has delivered to this worker and that are not settled',
    ({ consumer }) => (consumer?.running ?? 0) + (consumer?.waiting ?? 0),
  )
  gauge('gatehouse_concurrency_limit', 'Messages that may be handled at once', ({ consumer }) => consumer?.limit ?? 0)
  gauge('gatehouse_concurrency_ceiling', 'The most the limit can be', ({ consumer }) => consumer?.ceiling ?? 0)
  gauge('gatehouse_oldest_message_seconds', 'Age of the oldest message in hand, since it was sent', ({ consumer }) =>
    secondsSince(consumer?.oldestSentAt),
  )
  gauge('gatehouse_oldest_delivery_seconds', 'How long the message has been in hand that came first', ({ consumer }) =>
    secondsSince(consumer?.oldestReceivedAt),
  )
  gauge('gatehouse_publications_unconfirmed', 'Publications that wait for their confirm', ({ broker }) => broker.unconfirmed)
  gauge('gatehouse_publications_waiting', 'Publications that wait to be sent', ({ broker }) => broker.toPublish)
  gauge(
    'gatehouse_publications_refused',
    'Publications that a full queue has refused, tried again',
    ({ broker }) => broker.refused,
  )
  gauge('gatehouse_broker_blocked', '1 while RabbitMQ takes no publications', ({ broker }) => (broker.blocked ? 1 : 0))
  new Counter({
    name: 'gatehouse_broker_blocked_seconds_total',
    help: 'Time for which RabbitMQ took no publications',
    registers: [registry],
    collect() {
      this.reset()
      this.inc(read().broker.blockedMs / 1_000)
    },
  })
  new Gauge({
    name: 'gatehouse_dependency_paused',
    help: '1 while no messages are taken because the dependency does not answer; not when the next message may find out',
    labelNames: ['dependency'],
    registers: [registry],
    collect() {
      const held = read().consumer?.held
      // A worker with nothing to do does not find out that the dependency answers again, and nobody need be woken for that.
      const by = held?.isProbing === false ? held.by : undefined
      for (const dependency of DEPENDENCIES) this.set({ dependency }, Number(by === dependency))
    },
  })
}
