import { PermanentError } from '@gatehouse/messages'
import { type Kysely, sql } from 'kysely'
import { ALL_MIGRATIONS } from './all-migrations.ts'
import type { Database } from './schema.ts'

export type SchemaComparison = {
  /** This build's migrations that the database lacks; all of them in one that is empty. */
  readonly missing: readonly string[]
  /** Migrations of a newer build, all of which this build may work with. */
  readonly ahead: readonly string[]
}

/**
 * Compares a database with what a build knows.
 * @throws PermanentError `database-newer` when the database says that a build which does not know more must not work with it.
 */
export async function compareSchema(
  db: Kysely<Database>,
  migrations: Readonly<Record<string, unknown>> = ALL_MIGRATIONS,
): Promise<SchemaComparison> {
  const known = Object.keys(migrations)
  const done = await readDone(db)
  const ahead = [...done].filter((name) => !known.includes(name))
  const requirements = ahead.length === 0 ? new Map<string, string | null>() : await readRequirements(db)
  for (const name of ahead) {
    // Every build that can be newer than this one says what its migrations require: what says nothing is none of ours.
    const required = requirements.has(name) ? requirements.get(name) : name
    if (typeof required === 'string' && !known.includes(required)) throw newer({ name, required, newest: known.at(-1) ?? '' })
  }
  return { missing: known.filter((name) => !done.has(name)), ahead }
}

async function readDone(db: Kysely<Database>): Promise<ReadonlySet<string>> {
  if (!(await hasTable(db, 'kysely_migration'))) return new Set()
  const { rows } = await sql<{ name: string }>`select name from kysely_migration order by name`.execute(db)
  return new Set(rows.map(({ name }) => name))
}

async function readRequirements(db: Kysely<Database>): Promise<ReadonlyMap<string, string | null>> {
  if (!(await hasTable(db, 'schema_requirements'))) return new Map()
  type Requirement = { migration: string; requires: string | null }
  const { rows } = await sql<Requirement>`select migration, requires from schema_requirements`.execute(db)
  return new Map(rows.map(({ migration, requires }) => [migration, requires]))
}

async function hasTable(db: Kysely<Database>, name: string): Promise<boolean> {
  const { rows } = await sql<{ is: boolean }>`select to_regclass(${name}) is not null as is`.execute(db)
  return rows[0]?.is === true
}

function newer({ name, required, newest }: { name: string; required: string; newest: string }): PermanentError {
  return new PermanentError(
    'database-newer',
    `The database is newer than this build: migration ${name} needs builds that know ${required}, and this one ends at ${newest}; ` +
      'run the newer build, or restore the database from before that migration (docs/operations/upgrade.md)',
  )
}
