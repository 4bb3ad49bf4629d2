import type { Store } from './create-database.ts'
import type { Database } from './schema.ts'

/**
 * Has PostgreSQL look at what a bulk load has put into these tables. Autovacuum does so too, a minute later: until then it
 * plans the statements of a first sync as if the tables were empty, and they take several times as long.
 */
export async function analyzeTables(pool: Store['pool'], tables: readonly (keyof Database)[]): Promise<void> {
  await pool.query(`analyze ${tables.join(', ')}`)
}
