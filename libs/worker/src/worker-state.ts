import type { BrokerStats, Pause } from '@gatehouse/broker'

/** Something that a worker has only so many of, and that its messages wait for: the runspaces of an organisation. */
export type WorkResource = {
  /** Whose it is. */
  readonly name: string
  readonly unit: string
  readonly slots: number
  readonly open: number
  readonly busy: number
  /** Work in hand that waits for one to be free. */
  readonly queued: number
  /** What it is busy with, and how long one takes lately. */
  readonly call: string
  readonly secondsEach: number | undefined
  readonly pause: Pause | undefined
}

/** Raised when a field is taken away or changes its meaning: copies of two builds may run at once. */
export const WORKER_STATE_VERSION = 1

/** What a running copy of a worker says of itself. */
export type WorkerState = {
  readonly version: number
  readonly broker: Omit<BrokerStats, 'consumers'>
  readonly consumer: (BrokerStats['consumers'][number] & { readonly handledPerSecond: number }) | undefined
  readonly resources: readonly WorkResource[]
}

/** Reads the state again and again; the rate is that of the time since the last reading. */
export function createWorkerStateReader(o: {
  stats: () => BrokerStats
  resources: () => readonly WorkResource[]
  nowMs: () => number
}): () => WorkerState {
  let last = { handled: 0, atMs: o.nowMs() }
  return () => {
    const { consumers, ...broker } = o.stats()
    const [consumer] = consumers
    const atMs = o.nowMs()
    const handled = consumer?.handled ?? 0
    const handledPerSecond = atMs > last.atMs ? ((handled - last.handled) * 1_000) / (atMs - last.atMs) : 0
    last = { handled, atMs }
    return {
      version: WORKER_STATE_VERSION,
      broker,
      consumer: consumer === undefined ? undefined : { ...consumer, handledPerSecond: Math.max(0, handledPerSecond) },
      resources: o.resources(),
    }
  }
}
