import type { Kysely } from 'kysely'
import { Migrator } from 'kysely/migration'
import type { Store } from './create-database.ts'
import * as firstTables from './migrations/0001-first-tables.ts'
import * as deadLetters from './migrations/0002-dead-letters.ts'
import * as workerStates from './migrations/0003-worker-states.ts'
import type { Database } from './schema.ts'

const MIGRATIONS = {
  '0001-first-tables': firstTables,
  '0002-dead-letters': deadLetters,
  '0003-worker-states': workerStates,
}

/**
 * Brings the schema to this build's version, once, under kysely's own lock: copies that start together do no harm.
 * @returns the names of the migrations that were carried out, none when the schema was current.
 * @throws the database's error of the first migration that failed; it was rolled back.
 */
export async function migrate(db: Kysely<Database>): Promise<string[]> {
  const migrator = new Migrator({ db, provider: { getMigrations: () => Promise.resolve(MIGRATIONS) } })
  const { error, results } = await migrator.migrateToLatest()
  if (error !== undefined) throw error
  return (results ?? []).filter((result) => result.status === 'Success').map((result) => result.migrationName)
}

/** The names of this build's migrations that were not carried out in a database; all of them in one that is empty. */
export async function findMissingMigrations(pool: Pick<Store['pool'], 'query'>): Promise<string[]> {
  const { rows: found } = await pool.query<{ is: boolean }>(`select to_regclass('kysely_migration') is not null as is`)
  if (found[0]?.is !== true) return Object.keys(MIGRATIONS)
  const { rows } = await pool.query<{ name: string }>('select name from kysely_migration')
  const done = new Set(rows.map((row) => row.name))
  return Object.keys(MIGRATIONS).filter((name) => !done.has(name))
}
