import type { Duplex } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import { abortReason, RetryableError } from '@gatehouse/messages'
import { type ChannelModel, connect } from 'amqplib'
import { fullJitterMs } from './backoff.ts'
import type { BrokerLog, BrokerOptions } from './broker-options.ts'
import { settlesWithin, waitFor } from './wait-for.ts'

export type ConnectionState = 'connecting' | 'ready' | 'blocked' | 'closed'

const CONNECT_TIMEOUT_MS = 10_000
const CLOSE_TIMEOUT_MS = 2_000
const RECONNECT = { baseMs: 100, capMs: 10_000 }
/** Below the 5 s that RabbitMQ discourages a short event-loop stall would cost the connection. */
const HEARTBEAT_SECONDS = 20
/** A connection that lasted this long was a good one: the next loss starts the backoff anew. */
const STABLE_MS = 10_000
const REASON_CHARACTERS_MAX = 200

/**
 * One TCP connection that is opened again whenever it is lost, until closed. amqplib's own recovery is not used: a connection
 * that closes during its `setup` is never noticed, a socket error there ends the process (amqplib 2.3.1, lib/recovery.js).
 */
export class SupervisedConnection {
  readonly name: string
  readonly log: BrokerLog
  private readonly options: BrokerOptions
  private readonly onState: () => void
  private readonly stopping = new AbortController()
  private readonly loop: Promise<void>
  private current: ChannelModel | undefined
  private opened = Promise.withResolvers<ChannelModel>()
  private isGathering = false
  private failures = 0
  private lastError: unknown
  private currentState: ConnectionState = 'connecting'
  private block: { readonly sinceMs: number; readonly reason: string } | undefined
  private blockedMsBefore = 0

  constructor(name: string, options: BrokerOptions, onState: () => void) {
    this.name = name
    this.log = options.log
    this.options = options
    this.onState = onState
    this.opened.promise.catch(() => {})
    this.loop = this.run()
  }

  get state(): ConnectionState {
    return this.currentState
  }

  /** The broker's alarm that keeps us from publishing. */
  get blocked(): { readonly sinceMs: number; readonly reason: string } | undefined {
    return this.block
  }

  /** For how long it has been blocked, all alarms together. */
  get blockedMs(): number {
    return this.blockedMsBefore + (this.block === undefined ? 0 : Date.now() - this.block.sinceMs)
  }

  /** Without the password, for logs and errors. */
  get address(): string {
    const parsed = new URL(this.options.url)
    parsed.password = ''
    return parsed.href
  }

  /** Whom it connects as. */
  get user(): string {
    return this.options.user ?? decodeURIComponent(new URL(this.options.url).username || 'guest')
  }

  /** For good: it will not be opened again. */
  get isClosed(): boolean {
    return this.stopping.signal.aborted
  }

  /** The open connection; waits for it. Rejects when this is closed for good or the signal is aborted. */
  async open(signal: AbortSignal): Promise<ChannelModel> {
    try {
      return await waitFor(this.opened.promise, signal)
    } catch (cause) {
      if (!signal.aborted || this.lastError === undefined) throw cause
      throw new RetryableError('broker-unreachable', `Cannot reach RabbitMQ at ${this.address}`, { cause: this.lastError })
    }
  }

  /**
   * Lets what is written in this turn of the event loop leave in one system call: amqplib writes each frame by itself, which
   * is a third of the cost of a message. amqplib hands frames to the socket in the next `setImmediate`, hence two of them.
   */
  gatherWrites(): void {
    if (this.isGathering || this.current === undefined) return
    this.isGathering = true
    const stream = streamOf(this.current)
    stream.cork()
    setImmediate(() =>
      setImmediate(() => {
        this.isGathering = false
        stream.uncork()
      }),
    )
  }

  /** Says goodbye if the broker listens, else cuts the connection: a blocked connection answers nothing. */
  async close(): Promise<void> {
    this.stopping.abort(new RetryableError('broker-closed', 'The connection to RabbitMQ is closed'))
    const model = this.current
    if (model !== undefined) {
      const isPolite = this.currentState === 'ready' && (await settlesWithin(model.close(), CLOSE_TIMEOUT_MS))
      if (!isPolite) cut(model)
    }
    await this.loop
  }

  private async run(): Promise<void> {
    const { signal } = this.stopping
    while (!signal.aborted) {
      const startedAt = performance.now()
      try {
        const model = await this.connect()
        if (signal.aborted) cut(model)
        else await this.hold(model)
      } catch (error) {
        this.lastError = error
        this.log.warn({ connection: this.name, reason: reasonOf(error) }, 'Cannot connect to RabbitMQ')
      }
      if (performance.now() - startedAt > STABLE_MS) this.failures = 0
      this.failures += 1
      const pauseMs = fullJitterMs(this.failures, { ...RECONNECT, random: this.options.random ?? Math.random })
      if (!signal.aborted) await delay(pauseMs, undefined, { signal }).catch(() => {})
    }
    this.setState('closed')
    this.opened.reject(abortReason(signal))
  }

  private async connect(): Promise<ChannelModel> {
    const { connectionName, ca, password, heartbeatSeconds = HEARTBEAT_SECONDS } = this.options
    const url = new URL(this.options.url)
    const hostname = url.hostname.replace(/^\[|\]$/g, '')
    return await connect(
      {
        protocol: url.protocol.replace(':', ''),
        hostname,
        ...(url.port === '' ? {} : { port: Number(url.port) }),
        username: this.user,
        password: (typeof password === 'function' ? password() : password) ?? decodeURIComponent(url.password || 'guest'),
        // A path of only '/' names no virtual host, which is not the one called '/'.
        vhost: url.pathname.length > 1 ? url.pathname.slice(1) : '/',
        heartbeat: heartbeatSeconds,
      },
      {
        noDelay: true,
        timeout: CONNECT_TIMEOUT_MS,
        clientProperties: { connection_name: `${connectionName} ${this.name}` },
        ...(ca === undefined ? {} : { ca }),
      },
    )
  }

  /** Keeps the connection until it is lost. Its listeners are attached before anything is awaited. */
  private async hold(model: ChannelModel): Promise<void> {
    const closed = new Promise<unknown>((resolve) => {
      let error: unknown
      model.on('error', (cause) => {
        error = cause
      })
      model.on('close', (cause) => resolve(error ?? cause))
    })
    model.on('handler-error', (error) => this.log.error({ connection: this.name, err: error }, 'Broker event handler failed'))
    model.on('blocked', (reason) => {
      this.log.warn({ connection: this.name, reason }, 'RabbitMQ blocks publishing')
      this.block ??= { sinceMs: Date.now(), reason: String(reason).slice(0, REASON_CHARACTERS_MAX) }
      this.setState('blocked')
    })
    model.on('unblocked', () => {
      this.log.info({ connection: this.name }, 'RabbitMQ takes messages again')
      this.setState('ready')
    })
    this.current = model
    this.opened.resolve(model)
    this.setState('ready')
    this.log.info({ connection: this.name, url: this.address }, 'Connected to RabbitMQ')

    this.lastError = await closed

    this.current = undefined
    if (this.stopping.signal.aborted) return
    this.opened = Promise.withResolvers()
    this.opened.promise.catch(() => {})
    this.log.warn({ connection: this.name, err: this.lastError }, 'Lost the connection to RabbitMQ')
    this.setState('connecting')
  }

  private setState(state: ConnectionState): void {
    if (this.currentState === state) return
    if (state !== 'blocked') {
      this.blockedMsBefore = this.blockedMs
      this.block = undefined
    }
    this.currentState = state
    this.onState()
  }
}

/**
 * amqplib has no way to drop a connection that does not answer; its socket has. Without an error amqplib would not notice, for
 * it listens to the end of the stream and not to its close.
 */
function cut(model: ChannelModel): void {
  streamOf(model).destroy(new Error('Closed without the broker'))
}

function streamOf(model: ChannelModel): Duplex {
  return (model.connection as unknown as { stream: Duplex }).stream
}

/** Where a name has several addresses, node:net gives one error for all that has no text of its own. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error.message === '' ? String((error as NodeJS.ErrnoException).code ?? error.name) : error.message
}
