import { type Kysely, sql, type Transaction } from 'kysely'
import type { Database } from './schema.ts'

/**
 * Runs `work` on one connection while it holds the advisory lock of this name, or answers `undefined` at once when somebody
 * else holds it. The lock belongs to the connection: PostgreSQL lets it go when the process or its connection dies.
 */
export async function tryWithLock<T>(
  db: Kysely<Database>,
  name: string,
  work: (connection: Kysely<Database>) => Promise<T>,
): Promise<{ value: T } | undefined> {
  return await db.connection().execute(async (connection) => {
    const { rows } = await sql<{ got: boolean }>`select pg_try_advisory_lock(hashtextextended(${name}, 0)) as got`.execute(
      connection,
    )
    if (rows[0]?.got !== true) return undefined
    try {
      return { value: await work(connection) }
    } finally {
      // On a connection that has died there is nothing left to unlock, and the failure of `work` is the one to tell.
      await sql`select pg_advisory_unlock(hashtextextended(${name}, 0))`.execute(connection).catch(() => undefined)
    }
  })
}

/** Waits for the advisory lock of this name; it is held until the transaction ends. */
export async function lockInTransaction(transaction: Transaction<Database>, name: string): Promise<void> {
  await sql`select pg_advisory_xact_lock(hashtextextended(${name}, 0))`.execute(transaction)
}
