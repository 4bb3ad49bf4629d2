import { setTimeout as delay } from 'node:timers/promises'
import { sql } from 'kysely'
import { readProcessUsage } from '../../environment/process-usage.ts'
import type { QueueReader } from '../backpressure/queue-reader.ts'
import type { Fleet } from './start-fleet.ts'

export type Watched = {
  /** The most messages that waited in each queue. */
  readonly deepest: Map<string, number>
  readonly isOver: boolean
}

const SAMPLE_MS = 1_000
/** What asks the database is asked less often. */
const RUNS_EVERY = 3

/**
 * Watches queues and runs until none is open, or until the signal of `timeoutMs`. `onWrites` hears how many mailboxes were written
 * so far, whenever the runs are looked at.
 */
export async function watchFleet(
  fleet: Fleet,
  reader: QueueReader,
  o: { timeoutMs: number; onWrites: (writes: number) => Promise<void>; log: (line: string) => void },
  signal: AbortSignal,
): Promise<Watched> {
  const deepest = new Map<string, number>()
  const deadline = performance.now() + o.timeoutMs
  for (let turn = 0; ; turn++) {
    for (const [queue, depth] of await reader.read()) deepest.set(queue, Math.max(deepest.get(queue) ?? 0, depth))
    if (turn % RUNS_EVERY === 0) {
      const { open, writes } = await readProgress(fleet)
      await o.onWrites(writes)
      if (turn % (10 * RUNS_EVERY) === 0) o.log(`${writes} mailboxes written, ${open} syncs under way`)
      if (open === 0) return { deepest, isOver: true }
      if (performance.now() > deadline) return { deepest, isOver: false }
    }
    await delay(SAMPLE_MS, undefined, { signal })
  }
}

async function readProgress({ store }: Fleet): Promise<{ open: number; writes: number }> {
  const { rows } = await sql<{ open: number; writes: number }>`
    select (select count(*)::int from sync_runs where status in ('running', 'held')) as open,
           (select count(*)::int from mailbox_enforcements where outcome = 'written') as writes`.execute(store.db)
  return rows[0] ?? { open: 0, writes: 0 }
}

export type WorkerFigures = { worker: string; cpuSeconds: number; peakMiB: number }

/** Workers and simulators; nothing where the system does not tell. */
export async function readUsage({ workers, simulators }: Fleet): Promise<WorkerFigures[]> {
  const processes = [
    ...[...workers.running].map(([worker, { pid }]) => ({ worker, pid })),
    ...simulators.map(({ name, pid }) => ({ worker: `(simulator ${name})`, pid })),
  ]
  const figures = await Promise.all(
    processes.map(async ({ worker, pid }) => {
      const usage = await readProcessUsage(pid)
      return usage === undefined ? [] : [{ worker, cpuSeconds: usage.cpuSeconds, peakMiB: usage.peakMiB }]
    }),
  )
  return figures.flat()
}
