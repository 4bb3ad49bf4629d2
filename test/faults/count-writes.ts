import { setTimeout as delay } from 'node:timers/promises'
import type { System } from '@gatehouse/cli/system'
import { sql } from 'kysely'

const POLL_MS = 100

/** How many changes are written to Exchange. */
export async function countWrites({ store }: System): Promise<number> {
  const { rows } = await sql<{ n: number }>`select count(*)::int as n from access_changes where written_at is not null`.execute(
    store.db,
  )
  return rows[0]?.n ?? 0
}

/** Resolves when so many changes are written: the middle of a sync, by what has happened and not by the clock. */
export async function whenWritten(system: System, count: number, signal: AbortSignal): Promise<void> {
  while ((await countWrites(system)) < count) await delay(POLL_MS, undefined, { signal })
}
