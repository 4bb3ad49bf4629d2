import type { Store } from './create-database.ts'

export type GraphCursor = { value: string; sync_run_id: string | null; counts: Record<string, number>; completed_at: Date }

/** `refresh`: the last complete read of Intune and Entra. `devices-delta`: where the next change feed begins. */
export type GraphCursorName = 'refresh' | 'devices-delta'

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
  o: { name: GraphCursorName; value: string; syncRunId: string; counts: Record<string, number> },
): Promise<void> {
  await pool.query(
    `insert into graph_cursors (name, value, sync_run_id, counts, completed_at) values ($1, $2, $3, $4, clock_timestamp())
     on conflict (name) do update set value = excluded.value, sync_run_id = excluded.sync_run_id, counts = excluded.counts,
       completed_at = excluded.completed_at`,
    [o.name, o.value, o.syncRunId, JSON.stringify(o.counts)],
  )
}

export type RunReadiness = { is_over: boolean; is_ready: boolean }

/**
 * Whether the decisions of a sync run may be made: a full sync waits for a refresh that is its own or newer than its start;
 * any other needs that there ever was one. Undefined when control knows no such run.
 */
export async function readRunReadiness(pool: Store['pool'], syncRunId: string): Promise<RunReadiness | undefined> {
  const { rows } = await pool.query<RunReadiness>(
    `select r.status in ('failed') as is_over,
       c.name is not null and (r.sync_type <> 'fullSync' or c.sync_run_id = r.id or c.completed_at >= r.started_at) as is_ready
     from sync_runs r left join graph_cursors c on c.name = 'refresh' where r.id = $1::uuid`,
    [syncRunId],
  )
  return rows[0]
}
