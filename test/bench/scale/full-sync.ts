import { setTimeout as wait } from 'node:timers/promises'
import { sql } from 'kysely'
import type { Fleet } from '../../campaign/many-organizations/start-fleet.ts'

const POLL_MS = 500

/** A first full sync of every organisation, to its end. */
export async function fullSync(fleet: Fleet, timeoutMs: number, signal: AbortSignal): Promise<void> {
  await fleet.control.post('/api/syncs', { syncType: 'fullSync', confirmed: true })
  const deadline = performance.now() + timeoutMs
  for (;;) {
    const { rows } = await sql<{ status: string; runs: number }>`
      select status, count(*)::int as runs from sync_runs group by status`.execute(fleet.store.db)
    if (rows.every(({ status }) => status === 'succeeded')) return
    const isFailed = rows.some(({ status }) => status === 'failed')
    if (isFailed || performance.now() > deadline) throw new Error(`The first sync did not succeed: ${JSON.stringify(rows)}`)
    await wait(POLL_MS, undefined, { signal })
  }
}
