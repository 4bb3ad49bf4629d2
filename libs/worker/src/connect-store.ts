import { PermanentError, RetryableError } from '@gatehouse/messages'
import { classifyDatabaseFailure, compareSchema, createDatabase, type Store } from '@gatehouse/store'
import type { Logger } from './create-logger.ts'
import { createSecretReader } from './create-secret-reader.ts'
import type { Settings } from './settings-schema.ts'
import { databaseUrlOf } from './settings-secrets.ts'
import { waitUntilWell } from './wait-until-well.ts'

/**
 * Opens the pool and waits until the database answers and was migrated: a copy that starts before `gatehouse migrate` is
 * through would otherwise spend attempts on every message. Waits for a refused user or a missing database as well: where everything
 * starts at once, they may not have been made yet.
 * @throws PermanentError `database-newer` at once; when the signal ends first, the last problem: RetryableError `database-unreachable` or
 * `database-not-migrated`, PermanentError `database-login-refused`, `database-missing` or `database-rights-missing`
 */
export async function connectStore(
  { name, settings, log }: { name: string; settings: Settings; log: Logger },
  signal: AbortSignal,
): Promise<Store> {
  const store = createDatabase({
    url: createSecretReader(() => databaseUrlOf(settings), log),
    applicationName: `gatehouse-${name}`,
    connectionsMax: settings.database.connectionsMax,
    onConnectionError: (error) => log.warn({ err: error }, 'A connection to the database was lost'),
  })
  try {
    await waitUntilWell({ what: 'database', find: () => findProblem(store, log), log }, signal)
    return store
  } catch (error) {
    await store[Symbol.asyncDispose]()
    throw error
  }
}

async function findProblem(store: Store, log: Logger): Promise<PermanentError | RetryableError | undefined> {
  try {
    const { missing, ahead } = await compareSchema(store.db)
    if (missing.length > 0) return notMigrated(missing)
    if (ahead.length > 0) log.warn({ migrations: ahead }, 'The database is newer than this build, which may still work with it')
    return undefined
  } catch (error) {
    const classified = classifyDatabaseFailure(error)
    if (classified instanceof PermanentError && classified.code === 'database-newer') throw classified
    if (classified instanceof PermanentError || classified instanceof RetryableError) return classified
    return new RetryableError('database-unreachable', 'PostgreSQL does not answer as it should', { cause: error })
  }
}

function notMigrated(missing: readonly string[]): RetryableError {
  const names = missing.join(', ')
  return new RetryableError(
    'database-not-migrated',
    `The database lacks migrations of this build: run gatehouse migrate (${names})`,
  )
}
