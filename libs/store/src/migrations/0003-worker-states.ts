import { type Kysely, sql } from 'kysely'

/** What each running copy of a worker says of itself. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`create table worker_states (
    holder text primary key, worker text not null, started_at timestamptz not null, seen_at timestamptz not null,
    state jsonb not null)`.execute(db)
}
