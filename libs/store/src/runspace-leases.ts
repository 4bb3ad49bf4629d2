import { randomUUID } from 'node:crypto'
import { readlinkSync } from 'node:fs'
import { hostname } from 'node:os'
import type { Admission } from './admission.ts'
import type { Store } from './create-database.ts'

export type RunspaceLease = {
  readonly id: string
  /** So long it counts from the moment at which it was taken or renewed. */
  readonly validMs: number
  renew(): Promise<void>
  attach(shell: { shellId: string; url: string; cookie: string | undefined }): Promise<void>
  /** The shell was deleted on the server. */
  release(): Promise<void>
  /** The shell may still count on the server until its idle timeout. */
  abandon(): Promise<void>
}

export type RunspaceLeasesOptions = {
  pool: Store['pool']
  /** Who is counted by Exchange: the organisation and the account. */
  account: string
  /** Who holds it; see `leaseHolderOf`. */
  holder: string
  /** Shells the account may have open, all copies of all workers together. */
  shellsMax: number
  /** How long an abandoned shell counts on the server. */
  idleTimeoutMs: number
  /**
   * Shared by all accounts of a process. The shells of hundreds of organisations open, renew and close at the same moments: without
   * it they would take every connection of the pool, and wait for one until they fail.
   */
  admit: Admission
}

const MARGIN_MS = 30_000
const KEPT_AFTER_EXPIRY = '1 day'

/**
 * The account's budget of shells. Whoever holds a lease renews it well within the idle timeout; when the process dies it runs out
 * once the server has dropped the idle shell too.
 */
export function createRunspaceLeases(options: RunspaceLeasesOptions): {
  acquire(signal: AbortSignal): Promise<RunspaceLease | undefined>
} {
  return {
    async acquire(signal) {
      signal.throwIfAborted()
      const id = await options.admit(async () => {
        signal.throwIfAborted()
        return await insertLease(options)
      })
      return id === undefined ? undefined : createLease(id, options)
    },
  }
}

async function insertLease(o: RunspaceLeasesOptions): Promise<string | undefined> {
  const client = await o.pool.connect()
  try {
    await client.query('begin')
    // Two statements: a count in the statement that waits for the lock would be older than the lock.
    await client.query('select pg_advisory_xact_lock(hashtextextended($1, 0))', [`runspace-leases:${o.account}`])
    await client.query('delete from runspace_leases where account = $1 and expires_at < now() - $2::interval', [
      o.account,
      KEPT_AFTER_EXPIRY,
    ])
    const id = randomUUID()
    const { rowCount } = await client.query(
      `insert into runspace_leases (id, account, holder, taken_at, expires_at)
       select $1::uuid, $2::text, $3::text, clock_timestamp(), clock_timestamp() + $5::double precision * interval '1 millisecond'
       where (select count(*) from runspace_leases where account = $2::text and expires_at > clock_timestamp()) < $4::bigint`,
      [id, o.account, o.holder, o.shellsMax, o.idleTimeoutMs + MARGIN_MS],
    )
    await client.query('commit')
    client.release()
    return rowCount === 1 ? id : undefined
  } catch (error) {
    client.release(true)
    throw error
  }
}

function createLease(id: string, o: RunspaceLeasesOptions): RunspaceLease {
  const query = async (text: string, values: unknown[]): Promise<void> => {
    await o.admit(() => o.pool.query(text, values))
  }
  const expireIn = (ms: number) =>
    query(
      `update runspace_leases set expires_at = clock_timestamp() + $2::double precision * interval '1 millisecond' where id = $1`,
      [id, ms],
    )
  return {
    id,
    validMs: o.idleTimeoutMs + MARGIN_MS,
    async renew() {
      await expireIn(o.idleTimeoutMs + MARGIN_MS)
    },
    async attach(shell) {
      await query('update runspace_leases set shell = $2::jsonb where id = $1', [id, JSON.stringify(shell)])
    },
    async release() {
      await query('delete from runspace_leases where id = $1', [id])
    },
    async abandon() {
      await expireIn(o.idleTimeoutMs)
    },
  }
}

export type OrphanLease = { id: string; shell: { shellId: string; url: string; cookie: string | undefined } }

/** Who this process is: host, process namespace, process and worker. */
export function leaseHolderOf(workerName: string): string {
  return `${hostname()} ${readProcessNamespace()} ${process.pid} ${workerName}`
}

/**
 * The leases of an account whose holder is certainly dead: a process of this very host and process namespace that is not there
 * any more, or an earlier one with our own number. Their shells still count on the server.
 */
export async function readOrphanLeases(pool: Store['pool'], account: string, holder: string): Promise<OrphanLease[]> {
  const { rows } = await pool.query<OrphanLease & { holder: string }>(
    `select id, holder, shell from runspace_leases
     where account = $1 and shell is not null and expires_at > clock_timestamp() and taken_at < clock_timestamp()`,
    [account],
  )
  return rows.filter((row) => isCertainlyDead(row.holder, holder))
}

/** The shell of this lease was deleted by somebody else than its holder. */
export async function deleteRunspaceLease(pool: Store['pool'], id: string): Promise<void> {
  await pool.query('delete from runspace_leases where id = $1', [id])
}

/** `ours` has no lease yet, so one under our own name is of a process that had our number before. */
function isCertainlyDead(holder: string, ours: string): boolean {
  const [host, namespace, pid] = holder.split(' ')
  const [ourHost, ourNamespace] = ours.split(' ')
  if (host !== ourHost || namespace !== ourNamespace || namespace === UNKNOWN_NAMESPACE) return false
  return holder === ours || !isRunning(Number(pid))
}

const UNKNOWN_NAMESPACE = '-'

/** Only where it is known can a process number of another process be looked up at all. */
function readProcessNamespace(): string {
  try {
    return readlinkSync('/proc/self/ns/pid')
  } catch {
    return UNKNOWN_NAMESPACE
  }
}

function isRunning(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return true
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return !(error instanceof Error && 'code' in error && error.code === 'ESRCH')
  }
}
