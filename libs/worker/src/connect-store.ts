import { setTimeout as wait } from 'node:timers/promises'
import { abortReason, RetryableError } from '@gatehouse/messages'
import { createDatabase, findMissingMigrations, type Store } from '@gatehouse/store'
import type { Logger } from './create-logger.ts'
import type { Settings } from './settings-schema.ts'
import { databaseUrlOf } from './settings-secrets.ts'

const RETRY_MS = 500

/**
 * Opens the pool and waits until the database answers and was migrated: a copy that starts before `gatehouse migrate` is
 * through would otherwise spend attempts on every message.
 * @throws RetryableError `database-unreachable` with the last answer when the signal ends first
 */
export async function connectStore(
  { name, settings, log }: { name: string; settings: Settings; log: Logger },
  signal: AbortSignal,
): Promise<Store> {
  const store = createDatabase({
    url: databaseUrlOf(settings),
    applicationName: `gatehouse-${name}`,
    connectionsMax: settings.database.connectionsMax,
    onConnectionError: (error) => log.warn({ err: error }, 'A connection to the database was lost'),
  })
  try {
    await waitUntilMigrated(store, log, signal)
    return store
  } catch (error) {
    await store[Symbol.asyncDispose]()
    throw error
  }
}

async function waitUntilMigrated(store: Store, log: Logger, signal: AbortSignal): Promise<void> {
  let told = ''
  for (;;) {
    if (signal.aborted && told === '') throw abortReason(signal)
    const problem = await findProblem(store)
    if (problem === undefined) return
    if (told !== problem) log.warn({ problem }, 'Waiting for the database')
    told = problem
    if (signal.aborted) throw new RetryableError('database-unreachable', `Database: ${problem}`)
    // An abort ends the wait early and is told above, with the last problem instead of just the abort.
    await wait(RETRY_MS, undefined, { signal }).catch(() => {})
  }
}

async function findProblem(store: Store): Promise<string | undefined> {
  try {
    const missing = await findMissingMigrations(store.pool)
    return missing.length === 0
      ? undefined
      : `its tables are not those of this build yet (gatehouse migrate): ${missing.join(', ')}`
  } catch (error) {
    return error instanceof Error && error.message !== ''
      ? error.message
      : String((error as NodeJS.ErrnoException).code ?? error)
  }
}
