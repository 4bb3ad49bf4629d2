import type { Kysely } from 'kysely'
import * as firstTables from './migrations/0001-first-tables.ts'
import * as deadLetters from './migrations/0002-dead-letters.ts'
import * as workerStates from './migrations/0003-worker-states.ts'
import * as schemaRequirements from './migrations/0004-schema-requirements.ts'

export type OwnMigration = {
  up(db: Kysely<unknown>): Promise<void>
  /**
   * The migration that a build must know to go on working after this one: its own name when it changes what builds before it
   * use, an earlier one when builds from there on do not use it any more. Nothing when it only adds (docs/decisions/0013).
   */
  readonly requires?: string
}

/** Every migration of this build, by name and in order. Never edited after a release. */
export const ALL_MIGRATIONS: Readonly<Record<string, OwnMigration>> = {
  '0001-first-tables': firstTables,
  '0002-dead-letters': deadLetters,
  '0003-worker-states': workerStates,
  '0004-schema-requirements': schemaRequirements,
}
