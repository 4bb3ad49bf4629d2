import { classifyDatabaseFailure, compareSchema, createDatabase, migrate } from '@gatehouse/store'

/** The lock of another copy's migration, and an index on a big table, take their time. */
const STATEMENT_MS = 60 * 60_000

/**
 * Brings one database to this build's schema.
 * @returns the migrations that were carried out, and those of a newer build that were found and tolerated.
 * @throws what `migrate` and `classifyDatabaseFailure` say
 */
export async function migrateStore(url: string): Promise<{ migrated: string[]; ahead: readonly string[] }> {
  await using store = createDatabase({
    url,
    applicationName: 'gatehouse-migrate',
    connectionsMax: 1,
    statementMs: STATEMENT_MS,
    onConnectionError: () => {},
  })
  try {
    const migrated = await migrate(store.db)
    const { ahead } = await compareSchema(store.db)
    return { migrated, ahead }
  } catch (error) {
    throw classifyDatabaseFailure(error)
  }
}
