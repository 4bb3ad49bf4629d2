import { RetryableError } from '@gatehouse/messages'
import type { Command, InvocationResult, InvokeOptions, RunspacePool, RunspacePoolStats } from '@gatehouse/powershell'
import { toExchangeError } from './classify.ts'
import { raceAbort } from './race-abort.ts'

/** A pool at one endpoint, with what was learnt when it was opened. */
export type OpenedPool<Info> = { pool: RunspacePool; info: Info }

export type FailoverPoolOptions<Info> = {
  primaryUrl: string
  /** The other client access servers, nearest first; none when failover is off. */
  otherUrls: () => Promise<readonly string[]>
  /** Opens and checks a pool; throws an error of this package. */
  open: (url: string, signal: AbortSignal) => Promise<OpenedPool<Info>>
  /** A dead server is left alone for so long, and the primary is tried again that often while another is in use. */
  deadForMs: number
  now: () => number
  onChange: (change: { from: string | undefined; to: string; reason: string }) => void
}

type Entry<Info> = OpenedPool<Info> & { url: string; using: number; isLeft: boolean }

/**
 * One pool at a time: at the primary server, or at another client access server while the primary is dead. Nothing is sent
 * twice: a command that met a dying server fails with its error, and the next one goes to a server that lives.
 */
export class FailoverPool<Info> implements AsyncDisposable {
  readonly #options: FailoverPoolOptions<Info>
  readonly #stop = new AbortController()
  readonly #deadUntil = new Map<string, number>()
  readonly #leaving = new Set<Promise<void>>()
  #current: Entry<Info> | undefined
  #opening: Promise<Entry<Info>> | undefined
  #returning: Promise<void> | undefined
  #returnAt = 0

  constructor(options: FailoverPoolOptions<Info>) {
    this.#options = options
  }

  get url(): string {
    return this.#current?.url ?? this.#options.primaryUrl
  }

  get info(): Info | undefined {
    return this.#current?.info
  }

  prepare(): void {
    this.#current?.pool.prepare()
  }

  stats(): RunspacePoolStats | undefined {
    return this.#current?.pool.stats()
  }

  /** Opens a pool unless one is open. */
  async connect(signal: AbortSignal): Promise<Info> {
    return (await this.#acquire(signal)).info
  }

  async invoke(command: (info: Info) => Command, options: InvokeOptions): Promise<InvocationResult> {
    const entry = await this.#acquire(options.signal)
    const { name, parameters } = command(entry.info)
    entry.using++
    try {
      return await entry.pool.invoke({ name, parameters }, options)
    } catch (thrown) {
      const error = toExchangeError(thrown, name)
      if (isServerDead(error)) this.#markDead(entry, error.code)
      else if (entry.pool.state === 'broken' || entry.pool.state === 'closed') this.#leave(entry)
      throw error
    } finally {
      entry.using--
      if (entry.isLeft && entry.using === 0) this.#dispose(entry)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(
      new RetryableError('exchange-closed', 'The connection to Exchange is closed', { detail: { mayHaveRun: false } }),
    )
    await Promise.allSettled([this.#opening, this.#returning])
    const entry = this.#current
    this.#current = undefined
    if (entry !== undefined) await entry.pool[Symbol.asyncDispose]()
    await Promise.allSettled(this.#leaving)
  }

  async #acquire(signal: AbortSignal): Promise<Entry<Info>> {
    signal.throwIfAborted()
    this.#stop.signal.throwIfAborted()
    const current = this.#current
    if (current !== undefined) {
      this.#tryToReturn(current)
      return current
    }
    // Shared by everyone who waits, so it ends with the connection and not with the one who happened to come first.
    this.#opening ??= this.#openAny().finally(() => {
      this.#opening = undefined
    })
    return await raceAbort(this.#opening, signal)
  }

  async #openAny(): Promise<Entry<Info>> {
    const { primaryUrl, now } = this.#options
    const urls = [primaryUrl, ...(await this.#readOthers())]
    const living = urls.filter((url) => (this.#deadUntil.get(url) ?? 0) <= now())
    let failure: unknown
    for (const url of living.length === 0 ? [primaryUrl] : living) {
      try {
        const opened = await this.#options.open(url, this.#stop.signal)
        return this.#adopt(url, opened, 'opened')
      } catch (error) {
        failure ??= error
        if (!isServerDead(error)) throw error
        this.#deadUntil.set(url, now() + this.#options.deadForMs)
      }
    }
    throw failure
  }

  /** The list of other servers only serves to do better than failing; an error in reading it must not make things worse. */
  async #readOthers(): Promise<readonly string[]> {
    try {
      return (await this.#options.otherUrls()).filter((url) => url !== this.#options.primaryUrl)
    } catch {
      return []
    }
  }

  #adopt(url: string, opened: OpenedPool<Info>, reason: string): Entry<Info> {
    const entry: Entry<Info> = { ...opened, url, using: 0, isLeft: false }
    const from = this.#current?.url
    if (this.#current !== undefined) this.#leave(this.#current)
    this.#current = entry
    this.#deadUntil.delete(url)
    this.#returnAt = this.#options.now() + this.#options.deadForMs
    this.#options.onChange({ from, to: url, reason })
    return entry
  }

  #tryToReturn(current: Entry<Info>): void {
    const { primaryUrl, now, open, deadForMs } = this.#options
    if (current.url === primaryUrl || this.#returning !== undefined || now() < this.#returnAt) return
    this.#returnAt = now() + deadForMs
    this.#returning = open(primaryUrl, this.#stop.signal)
      .then(
        (opened) => {
          this.#adopt(primaryUrl, opened, 'primary-answers-again')
        },
        () => {},
      )
      .finally(() => {
        this.#returning = undefined
      })
  }

  #markDead(entry: Entry<Info>, reason: string): void {
    this.#deadUntil.set(entry.url, this.#options.now() + this.#options.deadForMs)
    if (this.#current === entry) this.#options.onChange({ from: entry.url, to: 'none', reason })
    this.#leave(entry)
  }

  #leave(entry: Entry<Info>): void {
    if (this.#current === entry) this.#current = undefined
    if (entry.isLeft) return
    entry.isLeft = true
    if (entry.using === 0) this.#dispose(entry)
  }

  #dispose(entry: Entry<Info>): void {
    const leaving: Promise<void> = Promise.resolve(entry.pool[Symbol.asyncDispose]())
      .catch(() => {})
      .finally(() => this.#leaving.delete(leaving))
    this.#leaving.add(leaving)
  }
}

function isServerDead(error: unknown): error is RetryableError {
  return error instanceof RetryableError && (error.code === 'exchange-unreachable' || error.code === 'exchange-unavailable')
}
