import { setTimeout as delay } from 'node:timers/promises'
import type { Channel, ChannelModel } from 'amqplib'
import { fullJitterMs } from './backoff.ts'
import type { SupervisedConnection } from './supervised-connection.ts'

export type KeepChannelOptions<C extends Channel> = {
  readonly connection: SupervisedConnection
  /** What the channel is for, in the log. */
  readonly purpose: string
  open(model: ChannelModel): Promise<C>
  /** Makes the channel useful. A failure costs the channel, and another one is opened. */
  start(channel: C): Promise<void>
  /** The channel is gone; `error` is the broker's reason, if it gave one. Called once for each channel that was started. */
  lost(channel: C, error: Error | undefined): void
  readonly random: () => number
}

const REOPEN = { baseMs: 100, capMs: 5_000 }
const STABLE_MS = 10_000

/** Keeps a channel open on the connection, whatever becomes of the one before, until the signal is aborted. Never rejects. */
export async function keepChannel<C extends Channel>(options: KeepChannelOptions<C>, signal: AbortSignal): Promise<void> {
  const { connection, purpose } = options
  let failures = 0
  while (!signal.aborted && !connection.isClosed) {
    const startedAt = performance.now()
    try {
      await holdChannel(options, await connection.open(signal))
    } catch (error) {
      if (signal.aborted || connection.isClosed) return
      connection.log.warn({ connection: connection.name, purpose, err: error }, 'Cannot open a channel to RabbitMQ')
    }
    failures = performance.now() - startedAt > STABLE_MS ? 1 : failures + 1
    await delay(fullJitterMs(failures, { ...REOPEN, random: options.random }), undefined, { signal }).catch(() => {})
  }
}

async function holdChannel<C extends Channel>(options: KeepChannelOptions<C>, model: ChannelModel): Promise<void> {
  const { connection, purpose } = options
  const channel = await options.open(model)
  let error: Error | undefined
  const closed = new Promise<void>((resolve) => {
    channel.on('error', (cause) => {
      error = cause
    })
    channel.on('close', () => resolve())
  })
  channel.on('handler-error', (cause) =>
    connection.log.error({ connection: connection.name, purpose, err: cause }, 'Channel event handler failed'),
  )
  try {
    await options.start(channel)
  } catch (cause) {
    options.lost(channel, error)
    channel.close().catch(() => {})
    throw cause
  }
  await closed
  options.lost(channel, error)
  if (error !== undefined)
    connection.log.warn({ connection: connection.name, purpose, err: error }, 'RabbitMQ closed a channel')
}
