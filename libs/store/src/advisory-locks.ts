import { createHash } from 'node:crypto'
import { RetryableError } from '@gatehouse/messages'
import pg from 'pg'
import type { Store } from './create-database.ts'

export type AdvisoryLock = {
  /** Aborted when the connection that holds the lock is lost: somebody else may hold it from then on. */
  readonly signal: AbortSignal
  /** Gives the lock back; does not wait for PostgreSQL to say so. */
  [Symbol.dispose](): void
}

export type AdvisoryLocksOptions = {
  pool: Store['pool']
  applicationName: string
  /** The connection was lost, and with it every lock. */
  onLost: (error: Error) => void
  /** PostgreSQL frees the locks of a connection that it has heard nothing of for so long. Default 2 minutes. */
  silenceMs?: number
}

type Request =
  | { kind: 'lock'; key: string; answer: (got: boolean) => void; fail: (error: Error) => void }
  | { kind: 'unlock'; key: string }

const QUERY_MS = 10_000
const CONNECT_MS = 10_000
const KEEP_ALIVE_MS = 5_000
const BATCH_MAX = 1_000
const SILENCE_MS = 120_000

/**
 * What PostgreSQL does about a client that is out of reach: by default it would keep its locks for the two hours that TCP takes.
 * A host that answers no probe is gone; one that answers but says nothing may only be asleep, and gets more time, for what it did
 * under a lock must not be done beside it. Settings that this version does not know (before 14) are left out.
 */
const FENCE = `select set_config(s.name, w.value, false) from pg_settings s
  join (values ('tcp_keepalives_idle', '10'), ('tcp_keepalives_interval', '5'), ('tcp_keepalives_count', '4'),
    ('idle_session_timeout', $1)) as w(name, value) on w.name = s.name`

/** One statement for everything that piled up while the last one was under way: a lock costs no round trip of its own. */
const SETTLE = {
  name: 'advisory-locks',
  text: `select case when t.lock then pg_try_advisory_lock(t.key) else pg_advisory_unlock(t.key) end as got
    from unnest($1::bigint[], $2::boolean[]) with ordinality as t(key, lock, n) order by t.n`,
}

/**
 * Locks held across all processes by one connection of their own (PostgreSQL session-level advisory locks): when this
 * process dies, PostgreSQL frees them. The database must be reached directly, not through a pooler that shares sessions.
 */
export class AdvisoryLocks implements AsyncDisposable {
  readonly #options: AdvisoryLocksOptions
  readonly #held = new Map<string, AbortController>()
  #requests: Request[] = []
  #client: pg.Client | undefined
  #pumping: Promise<void> | undefined
  #timer: NodeJS.Timeout | undefined
  #isAsking = false
  #isClosed = false

  constructor(options: AdvisoryLocksOptions) {
    this.#options = options
  }

  /** Opens the connection before it is needed. Throws RetryableError(`lock-connection-lost`). */
  async open(): Promise<void> {
    using _lock = await this.tryLock(`opening:${this.#options.applicationName}`)
  }

  /** Undefined when anybody holds it, this process included. Throws RetryableError(`lock-connection-lost`). */
  async tryLock(name: string): Promise<AdvisoryLock | undefined> {
    if (this.#isClosed) throw lost('The locks are closed')
    const key = keyOf(name)
    if (this.#held.has(key)) return undefined
    const controller = new AbortController()
    this.#held.set(key, controller)
    const { promise, resolve, reject } = Promise.withResolvers<boolean>()
    this.#requests.push({ kind: 'lock', key, answer: resolve, fail: reject })
    this.#pump()
    const got = await promise.catch((error: unknown) => {
      if (this.#held.get(key) === controller) this.#held.delete(key)
      throw error
    })
    if (!got) {
      this.#held.delete(key)
      return undefined
    }
    return { signal: controller.signal, [Symbol.dispose]: () => this.#release(key, controller) }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true
    clearInterval(this.#timer)
    await this.#pumping
    const client = this.#client
    this.#client = undefined
    this.#loseAll(lost('The locks are closed'))
    await client?.end()
  }

  #release(key: string, controller: AbortController): void {
    if (this.#held.get(key) !== controller) return
    this.#held.delete(key)
    this.#requests.push({ kind: 'unlock', key })
    this.#pump()
  }

  #pump(): void {
    this.#pumping ??= this.#settleAll().finally(() => {
      this.#pumping = undefined
      if (this.#requests.length > 0 && !this.#isClosed) this.#pump()
    })
  }

  async #settleAll(): Promise<void> {
    // Lets everything that becomes ready in this turn of the event loop join the first batch.
    await Promise.resolve()
    while (this.#requests.length > 0 || this.#isAsking) {
      this.#isAsking = false
      const batch = this.#requests.splice(0, BATCH_MAX)
      try {
        const client = await this.#connect()
        const values = [batch.map(({ key }) => key), batch.map(({ kind }) => kind === 'lock')]
        const { rows } = await client.query<{ got: boolean }>({ ...SETTLE, values })
        for (const [index, request] of batch.entries()) if (request.kind === 'lock') request.answer(rows[index]?.got === true)
      } catch (error) {
        const failure = lost('The connection that holds the locks was lost', error)
        for (const request of batch) if (request.kind === 'lock') request.fail(failure)
        this.#drop(failure)
      }
    }
  }

  async #connect(): Promise<pg.Client> {
    if (this.#client !== undefined) return this.#client
    const { pool, applicationName } = this.#options
    const client = new pg.Client({
      ...pool.options,
      application_name: applicationName,
      connectionTimeoutMillis: CONNECT_MS,
      query_timeout: QUERY_MS,
      keepAlive: true,
      keepAliveInitialDelayMillis: KEEP_ALIVE_MS,
    })
    client.on('error', (error) => this.#drop(lost('The connection that holds the locks was lost', error), client))
    client.on('end', () => this.#drop(lost('The connection that holds the locks was closed'), client))
    try {
      await client.connect()
      await client.query(FENCE, [String(this.#options.silenceMs ?? SILENCE_MS)])
    } catch (error) {
      client.end().catch(() => {})
      throw error
    }
    this.#client = client
    this.#timer ??= setInterval(() => this.#ask(), KEEP_ALIVE_MS).unref()
    return client
  }

  /**
   * A connection that died silently must not go on looking as if it held anything; one that lives must be heard of. Asks with an
   * empty batch, and so never beside another statement: pg takes one at a time.
   */
  #ask(): void {
    if (this.#client === undefined) return
    this.#isAsking = true
    this.#pump()
  }

  #drop(error: RetryableError, client = this.#client): void {
    if (client !== undefined && client !== this.#client) return
    this.#client = undefined
    this.#loseAll(error)
    if (client === undefined || this.#isClosed) return
    this.#options.onLost(error)
    client.end().catch(() => {})
  }

  #loseAll(error: RetryableError): void {
    const controllers = [...this.#held.values()]
    this.#held.clear()
    this.#requests = this.#requests.filter((request) => {
      if (request.kind === 'lock') request.fail(error)
      return false
    })
    for (const controller of controllers) controller.abort(error)
  }
}

function lost(message: string, cause?: unknown): RetryableError {
  return new RetryableError('lock-connection-lost', message, { cause })
}

/** 64 bits of a hash: two names that collide only cost each other a little waiting. */
function keyOf(name: string): string {
  return createHash('sha1').update(name).digest().readBigInt64BE(0).toString()
}
