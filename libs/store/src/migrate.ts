import type { Kysely } from 'kysely'
import { Migrator } from 'kysely/migration'
import * as firstTables from './migrations/0001-first-tables.ts'
import type { Database } from './schema.ts'

const MIGRATIONS = { '0001-first-tables': firstTables }

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
