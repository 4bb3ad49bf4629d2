import type { Store } from './create-database.ts'

export type GraphCursor = { value: string; sync_run_id: string | null; counts: Record<string, number>; completed_at: Date }

/** `refresh`: the last complete read of Intune and Entra. `devices-delta`: where the next change feed begins. */
export type GraphCursorName = 'refresh' | 'devices-delta'

/** The counts' entry that holds when the reading began, in milliseconds of the epoch. */
const BEGAN = 'beganAtMs'

/** Undefined before the first time. */
export async function readGraphCursor(pool: Store['pool'], name: GraphCursorName): Promise<GraphCursor | undefined> {
  const { rows } = await pool.query<GraphCursor>(
    'select value, sync_run_id, counts, completed_at from graph_cursors where name = $1',
    [name],
  )
  return rows[0]
}

/** Replaces the cursor of this name. */
export async function storeGraphCursor(
  pool: Store['pool'],
  o: { name: GraphCursorName; value: string; syncRunId: string; began: Date; counts: Record<string, number> },
): Promise<void> {
  await pool.query(
    `insert into graph_cursors (name, value, sync_run_id, counts, completed_at) values ($1, $2, $3, $4, clock_timestamp())
     on conflict (name) do update set value = excluded.value, sync_run_id = excluded.sync_run_id, counts = excluded.counts,
       completed_at = excluded.completed_at`,
    [o.name, o.value, o.syncRunId, JSON.stringify({ ...o.counts, [BEGAN]: o.began.getTime() })],
  )
}

export type CompletedRefresh = {
  syncRunId: string
  /** When the reading began, by PostgreSQL's clock. */
  began: Date
  /** The groups that were read. */
  groupIds: readonly string[]
  counts: Record<string, number>
  /** Where the change feed begins anew. Undefined: it goes on where the last look at it stopped. */
  deltaLink: string | undefined
}

/**
 * Ends a full refresh, all or nothing: what was not listed is counted as missing once more, and the cursors move. Doing it in
 * one statement keeps a refresh that is repeated after a crash from counting a device as missing twice.
 */
export async function completeRefresh(pool: Store['pool'], o: CompletedRefresh): Promise<void> {
  const counts = { ...o.counts, [BEGAN]: o.began.getTime() }
  await pool.query(
    `with missing as (
       update managed_devices set missing_refreshes = missing_refreshes + 1 where refreshed_at < $2::timestamptz
     )
     insert into graph_cursors (name, value, sync_run_id, counts, completed_at)
     select 'refresh', $3::text, $1::uuid, $4::jsonb, clock_timestamp()
     union all select 'devices-delta', $5::text, $1::uuid, '{}'::jsonb, clock_timestamp() where $5::text is not null
     on conflict (name) do update set value = excluded.value, sync_run_id = excluded.sync_run_id, counts = excluded.counts,
       completed_at = excluded.completed_at`,
    [o.syncRunId, o.began, refreshedGroups(o.groupIds), JSON.stringify(counts), o.deltaLink ?? null],
  )
}

/** The `value` of the cursor `refresh`: the groups whose members are stored. */
export function refreshedGroups(groupIds: readonly string[]): string {
  return [...new Set(groupIds)].sort().join(' ')
}

export type RunReadiness = { is_over: boolean; is_ready: boolean }

/**
 * Whether the decisions of a sync run may be made: a full sync waits for its own refresh, or for another that began after it
 * did and read the groups of the policy in force; any other needs that there ever was one. A refresh knows when it began to the
 * millisecond, so a run is taken for as old as that. Undefined when control knows no such run.
 */
export async function readRunReadiness(pool: Store['pool'], syncRunId: string): Promise<RunReadiness | undefined> {
  const { rows } = await pool.query<RunReadiness>(
    `select r.status in ('failed') as is_over,
       c.name is not null and (r.sync_type <> 'fullSync' or c.sync_run_id = r.id or (
         coalesce((c.counts->>'${BEGAN}')::bigint >= floor(extract(epoch from r.started_at) * 1000), false)
         and c.value = (select array_to_string(array(
           select distinct g collate "C" from unnest(p.included_groups || p.excluded_groups) as g order by 1), ' ')
           from policies p order by p.version desc limit 1))) as is_ready
     from sync_runs r left join graph_cursors c on c.name = 'refresh' where r.id = $1::uuid`,
    [syncRunId],
  )
  return rows[0]
}

/**
 * Whether the change feed was read, and what it told dealt with, by a reading that began after this run did. A full refresh does not
 * count: it decides no mailbox.
 */
export async function isChangeFeedReadFor(pool: Store['pool'], syncRunId: string): Promise<boolean> {
  const { rows } = await pool.query<{ is_read: boolean }>(
    `select coalesce((c.counts->>'${BEGAN}')::bigint >= floor(extract(epoch from r.started_at) * 1000), false) as is_read
     from sync_runs r join graph_cursors c on c.name = 'devices-delta' where r.id = $1::uuid`,
    [syncRunId],
  )
  return rows[0]?.is_read === true
}
