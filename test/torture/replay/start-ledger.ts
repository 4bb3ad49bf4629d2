import { type BrokerConnection, connectBroker, type Handler, type ServiceName } from '@gatehouse/broker'
import { done, later, type MessageType, PermanentError } from '@gatehouse/messages'
import { beginMessage, endMessage, type Store } from '@gatehouse/store'

/**
 * What has become of each message, told by whoever handled it: how often it arrived and how often it took effect. Kept in the
 * memory of a process that is never killed, and by nothing of the product.
 */
export type Ledger = AsyncDisposable & {
  readonly arrivals: Map<string, number>
  readonly effects: Map<string, number>
  /** Services whose handlers fail for good. */
  readonly broken: Set<ServiceName>
}

const HANDLED: Readonly<Partial<Record<ServiceName, readonly MessageType[]>>> = {
  notification: ['notification.send-notice'],
  enforcement: ['mailbox.decided'],
  'compliance-lookup': ['mailbox.observed'],
  discovery: ['discovery.sync'],
}
const AGAIN_MS = 250

export type LedgerOptions = {
  readonly store: Store
  /** Of the broker, with a virtual host. */
  readonly url: string
  readonly signal: AbortSignal
}

/** Handles the messages of every service as a worker does whose effect must not be repeated. */
export async function startLedger(options: LedgerOptions): Promise<Ledger> {
  await using stack = new AsyncDisposableStack()
  const ledger = { arrivals: new Map<string, number>(), effects: new Map<string, number>(), broken: new Set<ServiceName>() }
  for (const [service, types] of Object.entries(HANDLED) as [ServiceName, readonly MessageType[]][]) {
    const broker = stack.use(await connect(service, options))
    const handle = createHandler(service, ledger, options.store)
    stack.use(
      await broker.consume({
        service,
        concurrency: 20,
        handlerTimeoutMs: 60_000,
        handlers: Object.fromEntries(types.map((type) => [type, handle])),
      }),
    )
  }
  const owned = stack.move()
  return { ...ledger, [Symbol.asyncDispose]: () => owned.disposeAsync() }
}

function createHandler(service: ServiceName, ledger: Omit<Ledger, keyof AsyncDisposable>, store: Store): Handler<MessageType> {
  const count = (of: Map<string, number>, id: string): void => {
    of.set(id, (of.get(id) ?? 0) + 1)
  }
  return async ({ messageId }) => {
    count(ledger.arrivals, messageId)
    if (ledger.broken.has(service)) throw new PermanentError('still-broken', 'It is still broken')
    const { state } = await beginMessage(store.pool, { service, messageId })
    if (state === 'done') return done
    if (state === 'begun') return later(AGAIN_MS, 'begun-by-a-copy')
    count(ledger.effects, messageId)
    await endMessage(store.pool, { service, messageId })
    return done
  }
}

function connect(service: ServiceName, { url, signal }: LedgerOptions): Promise<BrokerConnection> {
  const log = { info: () => {}, warn: () => {}, error: () => {}, debug: () => {} }
  const limits = { unconfirmedMax: 200, prefetchMax: 100, maxAttempts: 3, laterAgeMsMax: 600_000 }
  return connectBroker({ url, connectionName: `ledger ${service}`, log, ...limits }, signal)
}
