import { setTimeout as wait } from 'node:timers/promises'
import { sql } from 'kysely'
import type { Fleet } from '../../campaign/many-organizations/start-fleet.ts'
import { readProcessUsage } from '../../environment/process-usage.ts'
import type { MeasuredCopies } from './measure-copies.ts'
import { round, startCopies } from './measure-copies.ts'

const POLL_MS = 100

/** A full sync of every organisation, as far as it is discovery's: its messages are the mailboxes that it publishes. */
export async function measureDiscovery(
  fleet: Fleet,
  o: { copies: number; timeoutMs: number },
  signal: AbortSignal,
): Promise<MeasuredCopies> {
  await using control = await startCopies(fleet, 'control', 1, signal)
  await using discovery = await startCopies(fleet, 'discovery', o.copies, signal)
  if (control.processes.length === 0) throw new TypeError('Control does not run')
  const usage = async () => await Promise.all(discovery.processes.map(({ pid }) => readProcessUsage(pid)))
  const cpuOf = (read: Awaited<ReturnType<typeof usage>>) => read.reduce((sum, one) => sum + (one?.cpuSeconds ?? 0), 0)
  const before = await usage()
  const startedAt = performance.now()
  await fleet.control.post('/api/syncs', { syncType: 'fullSync', confirmed: true })
  const messages = await waitUntilDiscovered(fleet, startedAt + o.timeoutMs, signal)
  const seconds = (performance.now() - startedAt) / 1_000
  const after = await usage()
  // Nobody carries these runs on.
  await sql`update sync_runs set status = 'succeeded', finished_at = now() where status = 'running'`.execute(fleet.store.db)
  return {
    copies: o.copies,
    messages,
    seconds: round(seconds, 10),
    perSecond: Math.round(messages / seconds),
    cpuSecondsPer1000: round(((cpuOf(after) - cpuOf(before)) * 1_000) / messages, 100),
    peakMiB: Math.max(...after.map((one) => one?.peakMiB ?? 0)),
  }
}

async function waitUntilDiscovered({ store }: Fleet, deadline: number, signal: AbortSignal): Promise<number> {
  for (;;) {
    const { rows } = await sql<{ open: number; mailboxes: number }>`
      select (select count(*)::int from sync_runs where status = 'running' and discovered_at is null) as open,
        (select count(*)::int from mailboxes where published_run_id in (select id from sync_runs where status = 'running')) as mailboxes`.execute(
      store.db,
    )
    const [row] = rows
    if (row?.open === 0) return row.mailboxes
    if (performance.now() > deadline) throw new Error(`${row?.open} organisations were not discovered in time`)
    await wait(POLL_MS, undefined, { signal })
  }
}
