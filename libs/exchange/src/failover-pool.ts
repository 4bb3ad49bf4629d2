import { RetryableError } from '@gatehouse/messages'
import type { Command, InvocationResult, InvokeOptions, RunspacePool, RunspacePoolStats } from '@gatehouse/powershell'
import { toExchangeError } from './classify.ts'
import { judgeCommand, mayTryAnother } from './failover-verdict.ts'
import { raceAbort } from './race-abort.ts'

/** A pool at one endpoint, with what was learnt when it was opened. */
export type OpenedPool<Info> = { pool: RunspacePool; info: Info }

export type FailoverPoolOptions<Info> = {
  primaryUrl: string
  /** The other client access servers, nearest first; none when failover is off. Asked only when the one in use is of no use. */
  otherUrls: () => Promise<readonly string[]>
  /** Opens and checks a pool; throws an error of this package. */
  open: (url: string, signal: AbortSignal) => Promise<OpenedPool<Info>>
  /**
   * A dead server is left alone for so long, and the primary is tried again that often while another is in use. Twice as long
   * each time that a server has to be left soon after it was taken, up to 16 times.
   */
  deadForMs: number
  now: () => number
  onChange: (change: { from: string | undefined; to: string; reason: string }) => void
}

type Entry<Info> = OpenedPool<Info> & { url: string; since: number; using: number; noAnswers: number; isLeft: boolean }

const OTHERS_MS_MAX = 5_000
/** Tried one after another before the command fails; the next command goes on with those after them. */
const OTHERS_MAX = 8
/** So many commands in a row that had their time and gave no answer are the fault of the server and not theirs. */
const NO_ANSWERS_MAX = 3
const DOUBLINGS_MAX = 4
/** A server that was in use for so many times its dead time is not one that keeps failing. */
const STEADY_TIMES = 10

/**
 * One pool at a time: at the primary server, or at another client access server while the primary is dead. Nothing is sent
 * twice: a command that met a dying server fails with its error, and the next one goes to a server that lives. A server that
 * only does not answer is used until another one is open.
 */
export class FailoverPool<Info> implements AsyncDisposable {
  readonly #options: FailoverPoolOptions<Info>
  readonly #stop = new AbortController()
  readonly #deadUntil = new Map<string, number>()
  /** How often in a row a server had to be left soon after it was taken. */
  readonly #doublings = new Map<string, number>()
  /** Entries that commands still run in, though no new ones are given to them. */
  readonly #left = new Set<Entry<Info>>()
  readonly #leaving = new Set<Promise<void>>()
  #current: Entry<Info> | undefined
  #opening: Promise<Entry<Info>> | undefined
  /** Opens a pool elsewhere, in the background. */
  #switching: Promise<void> | undefined

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
      const result = await entry.pool.invoke({ name, parameters }, options)
      entry.noAnswers = 0
      return result
    } catch (thrown) {
      const error = toExchangeError(thrown, name)
      this.#failed(entry, error, options.signal)
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
    await Promise.allSettled([this.#opening, this.#switching])
    if (this.#current !== undefined) this.#leave(this.#current)
    for (const entry of this.#left) this.#dispose(entry)
    await Promise.allSettled(this.#leaving)
  }

  async #acquire(signal: AbortSignal): Promise<Entry<Info>> {
    signal.throwIfAborted()
    this.#stop.signal.throwIfAborted()
    const current = this.#current
    if (current !== undefined) {
      const { primaryUrl } = this.#options
      if (current.url !== primaryUrl && !this.#isDead(primaryUrl)) this.#switch(() => this.#returnToPrimary())
      return current
    }
    // Shared by everyone who waits, so it ends with the connection and not with the one who happened to come first.
    this.#opening ??= this.#openAny().finally(() => {
      this.#opening = undefined
    })
    return await raceAbort(this.#opening, signal)
  }

  /** The primary, or another server while it is dead, or the primary before its time when there is no other. */
  async #openAny(): Promise<Entry<Info>> {
    const { primaryUrl } = this.#options
    let failure: unknown
    let isPrimaryTried = false
    if (!this.#isDead(primaryUrl)) {
      const attempt = await this.#tryOpen(primaryUrl)
      if ('entry' in attempt) return attempt.entry
      failure = attempt.error
      isPrimaryTried = true
    }
    for (const url of await this.#readOthers()) {
      const attempt = await this.#tryOpen(url)
      if ('entry' in attempt) return attempt.entry
      failure ??= attempt.error
    }
    if (isPrimaryTried) throw failure
    // It may be being tried already, to return to it.
    await this.#switching
    if (this.#current !== undefined) return this.#current
    const attempt = await this.#tryOpen(primaryUrl)
    if ('entry' in attempt) return attempt.entry
    throw attempt.error
  }

  /** Throws what another server could not mend. */
  async #tryOpen(url: string): Promise<{ entry: Entry<Info> } | { error: unknown }> {
    const { open, now, deadForMs, primaryUrl } = this.#options
    try {
      return { entry: this.#adopt(url, await open(url, this.#stop.signal), 'opened') }
    } catch (error) {
      if (this.#stop.signal.aborted || !mayTryAnother(error, url === primaryUrl)) throw error
      this.#deadUntil.set(url, now() + deadForMs)
      return { error }
    }
  }

  /** The list of other servers only serves to do better than failing; an error in reading it must not make things worse. */
  async #readOthers(): Promise<readonly string[]> {
    const limit = AbortSignal.any([this.#stop.signal, AbortSignal.timeout(OTHERS_MS_MAX)])
    try {
      const urls = await raceAbort(this.#options.otherUrls(), limit)
      return urls.filter((url) => url !== this.#options.primaryUrl && !this.#isDead(url)).slice(0, OTHERS_MAX)
    } catch {
      return []
    }
  }

  #isDead(url: string): boolean {
    return (this.#deadUntil.get(url) ?? Number.NEGATIVE_INFINITY) > this.#options.now()
  }

  #enter(url: string, opened: OpenedPool<Info>): Entry<Info> {
    return { ...opened, url, since: this.#options.now(), using: 0, noAnswers: 0, isLeft: false }
  }

  /** The entry in use afterwards: when there is one at this server already, the new pool is not needed. */
  #adopt(url: string, opened: OpenedPool<Info>, reason: string): Entry<Info> {
    const entry = this.#enter(url, opened)
    const current = this.#current
    if (current?.url === url) {
      this.#leave(entry)
      return current
    }
    if (current !== undefined) this.#leave(current)
    this.#current = entry
    this.#deadUntil.delete(url)
    this.#options.onChange({ from: current?.url, to: url, reason })
    return entry
  }

  #switch(work: () => Promise<void>): void {
    this.#switching ??= work().finally(() => {
      this.#switching = undefined
    })
  }

  async #returnToPrimary(): Promise<void> {
    const { primaryUrl, open, now, deadForMs } = this.#options
    // Until this attempt is over nobody else need try.
    this.#deadUntil.set(primaryUrl, now() + deadForMs)
    try {
      this.#adopt(primaryUrl, await open(primaryUrl, this.#stop.signal), 'primary-answers-again')
    } catch {
      this.#deadUntil.set(primaryUrl, now() + deadForMs)
    }
  }

  /** Leaves a server that does not answer as soon as another one is open; while none is, this one is better than nothing. */
  async #replace(entry: Entry<Info>): Promise<void> {
    const { primaryUrl, open, now, deadForMs } = this.#options
    const others = await this.#readOthers()
    const urls = entry.url === primaryUrl || this.#isDead(primaryUrl) ? others : [primaryUrl, ...others]
    for (const url of urls.filter((each) => each !== entry.url)) {
      try {
        this.#adoptInstead(entry, url, await open(url, this.#stop.signal))
        return
      } catch {
        this.#deadUntil.set(url, now() + deadForMs)
      }
      if (this.#current !== entry || this.#stop.signal.aborted) return
    }
    entry.noAnswers = 0
  }

  #adoptInstead(entry: Entry<Info>, url: string, opened: OpenedPool<Info>): void {
    const current = this.#current
    if (current === entry) this.#bury(entry)
    // It died meanwhile, and a command has found another server first: that one stays.
    if (current === entry || current === undefined) this.#adopt(url, opened, 'no-answers')
    else this.#leave(this.#enter(url, opened))
  }

  #failed(entry: Entry<Info>, error: unknown, signal: AbortSignal): void {
    // What is heard of a server that was left already, or of a cmdlet that we stopped ourselves, is no news.
    if (entry.isLeft || signal.aborted) return
    const verdict = judgeCommand(error)
    if (verdict === 'dead' && error instanceof RetryableError) {
      this.#bury(entry)
      this.#options.onChange({ from: entry.url, to: 'none', reason: error.code })
      this.#leave(entry)
    } else if (entry.pool.state === 'broken' || entry.pool.state === 'closed') this.#leave(entry)
    else if (verdict === 'no-answer' && ++entry.noAnswers >= NO_ANSWERS_MAX) this.#switch(() => this.#replace(entry))
  }

  #bury(entry: Entry<Info>): void {
    const { now, deadForMs } = this.#options
    const wasSteady = now() - entry.since >= STEADY_TIMES * deadForMs
    const doublings = wasSteady ? 0 : (this.#doublings.get(entry.url) ?? 0)
    this.#doublings.set(entry.url, Math.min(DOUBLINGS_MAX, doublings + 1))
    this.#deadUntil.set(entry.url, now() + deadForMs * 2 ** doublings)
  }

  #leave(entry: Entry<Info>): void {
    if (this.#current === entry) this.#current = undefined
    if (entry.isLeft) return
    entry.isLeft = true
    this.#left.add(entry)
    if (entry.using === 0) this.#dispose(entry)
  }

  #dispose(entry: Entry<Info>): void {
    if (!this.#left.delete(entry)) return
    const leaving: Promise<void> = Promise.resolve(entry.pool[Symbol.asyncDispose]())
      .catch(() => {})
      .finally(() => this.#leaving.delete(leaving))
    this.#leaving.add(leaving)
  }
}
