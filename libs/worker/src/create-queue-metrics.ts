import { Gauge, type Registry } from 'prom-client'

/** A queue and how many messages it takes at most, if that is limited. */
export type MeasuredQueue = { readonly name: string; readonly lengthMax: number | undefined }

/** How many messages wait in each queue. Only control fills it; every queue is there from the start, at zero. */
export function createQueueMetrics(
  registry: Registry,
  queues: readonly MeasuredQueue[],
): (queue: string, ready: number) => void {
  const options = { labelNames: ['queue'], registers: [registry] }
  const ready = new Gauge({
    ...options,
    name: 'gatehouse_queue_messages_ready',
    help: 'Messages that wait in the queue, read every 5 s; in gh.unrouted more than 0 is an alarm',
  })
  const limit = new Gauge({
    ...options,
    name: 'gatehouse_queue_messages_limit',
    help: 'Messages at which the queue refuses more; queues without a limit are left out',
  })
  for (const { name, lengthMax } of queues) {
    ready.set({ queue: name }, 0)
    if (lengthMax !== undefined) limit.set({ queue: name }, lengthMax)
  }
  return (queue, count) => ready.set({ queue }, count)
}
