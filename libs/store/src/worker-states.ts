import { type Kysely, sql } from 'kysely'
import type { Store } from './create-database.ts'
import type { Database } from './schema.ts'

/** One running copy of a worker, as it last described itself. */
export type WorkerStateRow<State extends object> = {
  readonly holder: string
  readonly worker: string
  readonly started_at: Date
  /** How long ago it was written, by PostgreSQL's clock. */
  readonly age_ms: number
  readonly state: State
}

const KEPT = '1 hour'
const ROWS_MAX = 200

/** Writes what a copy says of itself now; `holder` names the copy, see `leaseHolderOf`. */
export async function storeWorkerState(
  pool: Store['pool'],
  o: { holder: string; worker: string; startedAt: Date; state: object },
): Promise<void> {
  await pool.query(
    `insert into worker_states (holder, worker, started_at, seen_at, state) values ($1, $2, $3, clock_timestamp(), $4::jsonb)
     on conflict (holder) do update set worker = excluded.worker, started_at = excluded.started_at, seen_at = excluded.seen_at,
       state = excluded.state`,
    [o.holder, o.worker, o.startedAt, JSON.stringify(o.state)],
  )
}

/** A copy that stops takes its row with it; whoever starts clears those of copies that died long ago. */
export async function deleteWorkerState(pool: Store['pool'], holder: string): Promise<void> {
  await pool.query('delete from worker_states where holder = $1 or seen_at < clock_timestamp() - $2::interval', [holder, KEPT])
}

/** What the copies said last, the latest first. The caller judges what is too old to be true. */
export async function readWorkerStates<State extends object>(db: Kysely<Database>): Promise<WorkerStateRow<State>[]> {
  const { rows } = await sql<WorkerStateRow<State>>`
    select holder, worker, started_at, state,
      (extract(epoch from clock_timestamp() - seen_at) * 1000)::double precision as age_ms
    from worker_states order by seen_at desc limit ${ROWS_MAX}`.execute(db)
  return rows
}
