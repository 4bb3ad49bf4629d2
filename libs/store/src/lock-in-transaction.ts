import { sql, type Transaction } from 'kysely'
import type { Database } from './schema.ts'

/** Waits for the advisory lock of this name; it is held until the transaction ends. */
export async function lockInTransaction(transaction: Transaction<Database>, name: string): Promise<void> {
  await sql`select pg_advisory_xact_lock(hashtextextended(${name}, 0))`.execute(transaction)
}
