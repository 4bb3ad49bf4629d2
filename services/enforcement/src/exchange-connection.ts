import { type Exchange, raceAbort } from '@gatehouse/exchange'
import { RetryableError } from '@gatehouse/messages'

/** A connected Exchange and the epoch its connector had before the connection was made. */
export type Connected = { exchange: Exchange; epoch: number }

export type ExchangeConnectionOptions = {
  readEpoch: () => Promise<number | undefined>
  connect: (signal: AbortSignal) => Promise<Exchange>
  log: { warn(fields: object, message: string): void }
}

/** Opened at first need, shared by every message of the organisation, and opened anew when its connector was replaced. */
export class ExchangeConnection implements AsyncDisposable {
  readonly #options: ExchangeConnectionOptions
  readonly #stop = new AbortController()
  #connected: Promise<Connected> | undefined
  #current: Connected | undefined

  constructor(options: ExchangeConnectionOptions) {
    this.#options = options
  }

  /** How many shells the pool may have now; undefined before the first connection. */
  get shellsAllowed(): number | undefined {
    return this.stats?.shellsAllowed
  }

  /** How the pool is; undefined before the first connection. */
  get stats(): ReturnType<Exchange['stats']> {
    return this.#current?.exchange.stats()
  }

  /** The endpoint in use and how its pool is; undefined before the first connection. */
  get reading(): { url: string; stats: ReturnType<Exchange['stats']> } | undefined {
    return this.#current === undefined ? undefined : { url: this.#current.exchange.url, stats: this.stats }
  }

  async use(signal: AbortSignal): Promise<Connected> {
    this.#stop.signal.throwIfAborted()
    const connected = this.#connected ?? this.#connect()
    this.#connected = connected
    return await raceAbort(connected, signal)
  }

  /** Lets go of a connection of an older epoch; the next use opens a new one. */
  drop(connected: Connected): void {
    const current = this.#connected
    void current?.then((value) => {
      if (value !== connected || this.#connected !== current) return
      this.#connected = undefined
      this.#dispose(connected)
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(
      new RetryableError('exchange-closed', 'The connection to Exchange is closed', { detail: { mayHaveRun: false } }),
    )
    const [settled] = await Promise.allSettled([this.#connected])
    this.#connected = undefined
    if (settled.status === 'fulfilled') await settled.value?.exchange[Symbol.asyncDispose]()
  }

  #connect(): Promise<Connected> {
    const connecting = this.#open()
    connecting.catch(() => {
      if (this.#connected === connecting) this.#connected = undefined
    })
    return connecting
  }

  async #open(): Promise<Connected> {
    const epoch = await this.#options.readEpoch()
    if (epoch === undefined)
      throw new RetryableError('connector-missing', 'The organisation has no connector yet', { detail: { mayHaveRun: false } })
    this.#current = { exchange: await this.#options.connect(this.#stop.signal), epoch }
    return this.#current
  }

  #dispose(connected: Connected): void {
    Promise.resolve(connected.exchange[Symbol.asyncDispose]()).catch((error: unknown) => {
      this.#options.log.warn({ err: error }, 'Closing the connection to Exchange failed')
    })
  }
}
