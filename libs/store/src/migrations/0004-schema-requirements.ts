import { type Kysely, sql } from 'kysely'

/** What a build must know to work on this schema; builds that are older than a migration read it here. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`create table schema_requirements (migration text primary key, requires text)`.execute(db)
}
