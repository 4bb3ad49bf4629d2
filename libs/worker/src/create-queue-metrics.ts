import { Gauge, type Registry } from 'prom-client'

/** How many messages wait in each queue. Only control fills it; every queue is there from the start, at zero. */
export function createQueueMetrics(registry: Registry, queues: readonly string[]): (queue: string, ready: number) => void {
  const gauge = new Gauge({
    name: 'gatehouse_queue_ready',
    help: 'Messages that wait in the queue; in gh.unrouted more than 0 is an alarm',
    labelNames: ['queue'],
    registers: [registry],
  })
  for (const queue of queues) gauge.set({ queue }, 0)
  return (queue, ready) => gauge.set({ queue }, ready)
}
