import { Kysely, PostgresDialect } from 'kysely'
import pg from 'pg'
import type { Database } from './schema.ts'

export type DatabaseOptions = {
  /** `postgres://user:password@host:port/database` */
  url: string
  /** Named in `pg_stat_activity`, so that an administrator sees whose connection it is. */
  applicationName: string
  connectionsMax: number
  connectMs?: number
  statementMs?: number
  /** An idle connection died. The pool replaces it by itself; this is for the log. */
  onConnectionError: (error: Error) => void
}

export type Store = { readonly db: Kysely<Database>; readonly pool: pg.Pool } & AsyncDisposable

/** Opens a pool of connections to PostgreSQL; nothing is dialled before the first query. Disposing waits for queries under way. */
export function createDatabase(options: DatabaseOptions): Store {
  const pool = new pg.Pool({
    connectionString: options.url,
    application_name: options.applicationName,
    max: options.connectionsMax,
    connectionTimeoutMillis: options.connectMs ?? 10_000,
    statement_timeout: options.statementMs ?? 60_000,
    // Our statements differ in values, not in shape: planning each of them anew for its first five values only costs time.
    options: '-c plan_cache_mode=force_generic_plan',
    types: { getTypeParser },
  })
  pool.on('error', options.onConnectionError)
  const db = new Kysely<Database>({ dialect: new PostgresDialect({ pool }) })
  return { db, pool, [Symbol.asyncDispose]: () => close(db, pool) }
}

async function close(db: Kysely<Database>, pool: pg.Pool): Promise<void> {
  await db.destroy()
  // kysely leaves a pool alone that it never took a connection from; `pool` may have been used beside it.
  if (!pool.ending) await pool.end()
}

/** bigint (OID 20) as a number: our versions and counts stay far below 2^53. */
function getTypeParser(oid: number, format?: 'text' | 'binary'): (value: string) => unknown {
  if (oid === pg.types.builtins.INT8 && format !== 'binary') return Number
  return pg.types.getTypeParser(oid, format as 'text') as (value: string) => unknown
}
