import { PermanentError } from '@gatehouse/messages'
import { type Kysely, sql } from 'kysely'
import { type Migration, Migrator } from 'kysely/migration'
import { ALL_MIGRATIONS, type OwnMigration } from './all-migrations.ts'
import { compareSchema } from './compare-schema.ts'
import type { Database } from './schema.ts'

/** Builds before it read no requirements, and there is no table for them. */
const FIRST_WITH_REQUIREMENT = '0004-schema-requirements'

/**
 * Brings the schema to a build's version, once, under kysely's own lock: copies that start together do no harm. Does nothing in a
 * database that a newer build has migrated and that this one may still work with.
 * @returns the names of the migrations that were carried out, none when the schema was current.
 * @throws PermanentError `database-newer`; the database's error of the first migration that failed: all were rolled back.
 */
export async function migrate(
  db: Kysely<Database>,
  migrations: Readonly<Record<string, OwnMigration>> = ALL_MIGRATIONS,
): Promise<string[]> {
  if (await isAhead(db, migrations)) return []
  const recorded = Object.entries(migrations).map(([name, one]) => [name, recording(name, one)])
  const provider = { getMigrations: () => Promise.resolve(Object.fromEntries(recorded) as Record<string, Migration>) }
  const { error, results } = await new Migrator({ db, provider }).migrateToLatest()
  // A newer build may have been there first.
  if (error !== undefined && (await isAhead(db, migrations))) return []
  if (error !== undefined) throw error
  return (results ?? []).filter((result) => result.status === 'Success').map((result) => result.migrationName)
}

async function isAhead(db: Kysely<Database>, migrations: Readonly<Record<string, OwnMigration>>): Promise<boolean> {
  const { ahead, missing } = await compareSchema(db, migrations)
  if (ahead.length === 0 || missing.length === 0) return ahead.length > 0
  const [has, lacks] = [ahead.join(', '), missing.join(', ')]
  throw new PermanentError('database-newer', `The database has ${has} of another build and lacks ${lacks} of this one`)
}

/** The migration, and in the same transaction what it requires of the builds that come upon it. */
function recording(name: string, { up, requires }: OwnMigration): Migration {
  if (name < FIRST_WITH_REQUIREMENT) return { up }
  return {
    async up(db) {
      await up(db)
      await sql`insert into schema_requirements (migration, requires) values (${name}, ${requires ?? null})`.execute(db)
    },
  }
}
