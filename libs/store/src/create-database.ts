import type { Socket } from 'node:net'
import { Kysely, PostgresDialect } from 'kysely'
import pg from 'pg'
import type { Database } from './schema.ts'

export type DatabaseOptions = {
  /** `postgres://user:password@host:port/database`; a function is asked for it at each connection, and must not throw. */
  url: string | (() => string)
  /** Named in `pg_stat_activity`, so that an administrator sees whose connection it is. */
  applicationName: string
  connectionsMax: number
  connectMs?: number
  statementMs?: number
  /** An idle connection died. The pool replaces it by itself; this is for the log. */
  onConnectionError: (error: Error) => void
}

const STATEMENT_MS = 60_000
/** For the answer of a statement that PostgreSQL has ended to arrive. */
const ANSWER_MS = 5_000

export type Store = { readonly db: Kysely<Database>; readonly pool: pg.Pool } & AsyncDisposable

/**
 * Opens a pool of connections to PostgreSQL; nothing is dialled before the first query. Disposing waits for queries under way.
 * A connection that nothing comes back from is given up a little after the limit of statements, by PostgreSQL and by us.
 */
export function createDatabase(options: DatabaseOptions): Store {
  const statementMs = options.statementMs ?? STATEMENT_MS
  const pool = new pg.Pool({
    application_name: options.applicationName,
    max: options.connectionsMax,
    connectionTimeoutMillis: options.connectMs ?? 10_000,
    statement_timeout: statementMs,
    // A transaction whose client is out of reach must not keep its locks for the two hours that TCP takes to find out.
    idle_in_transaction_session_timeout: statementMs,
    // Our statements differ in values, not in shape: planning each of them anew for its first five values only costs time.
    options: '-c plan_cache_mode=force_generic_plan',
    types: { getTypeParser },
  })
  const { url } = options
  // pg-pool 3 makes each client from its options as they are then, and so do the advisory locks.
  Object.defineProperty(pool.options, 'connectionString', {
    enumerable: true,
    get: () => (typeof url === 'function' ? url() : url),
  })
  pool.on('error', options.onConnectionError)
  pool.on('connect', (client) => fence(client, statementMs + ANSWER_MS))
  const db = new Kysely<Database>({ dialect: new PostgresDialect({ pool }) })
  return { db, pool, [Symbol.asyncDispose]: () => close(db, pool) }
}

/**
 * NOTE: not pg's `query_timeout`, which leaves the connection in use: what is asked next would wait behind what never ends.
 * A statement under way has its own limit, so a longer silence means that nobody is there.
 */
function fence(client: pg.PoolClient, silenceMs: number): void {
  // The pool listens to idle connections only; one that is lost in a transaction would end the process. Who uses it learns of
  // it by the next answer.
  client.on('error', () => {})
  const { stream } = (client as unknown as { connection: { stream: Socket } }).connection
  const silent = `PostgreSQL has said nothing for ${silenceMs / 1_000} s`
  stream.setTimeout(silenceMs, () => stream.destroy(Object.assign(new Error(silent), { code: 'ETIMEDOUT' })))
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
