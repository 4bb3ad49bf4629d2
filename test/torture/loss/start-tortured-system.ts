import { type Parts, type System, startSystem, type WorkerEvent } from '@gatehouse/cli/system'
import { type CuttableProxy, startCuttableProxy } from '../../environment/cuttable-proxy.ts'
import { COPIES } from './plan-faults.ts'

export type TorturedSystem = AsyncDisposable & {
  readonly system: System
  /** Between all workers and RabbitMQ, and between all workers and PostgreSQL. */
  readonly proxies: Readonly<Record<'broker' | 'database', CuttableProxy>>
}

export type TorturedSystemOptions = {
  readonly devices: number
  readonly latencyMs: number
  readonly runspaces: number
  readonly seed: number
  readonly faultsFile: string | undefined
  readonly env: Record<string, string | undefined>
  readonly log: (line: string) => void
  readonly onWorkerEvent: (event: WorkerEvent) => void
}

/** A whole system whose workers reach the broker and the database through proxies; we ourselves reach both directly. */
export async function startTorturedSystem(options: TorturedSystemOptions, signal: AbortSignal): Promise<TorturedSystem> {
  await using stack = new AsyncDisposableStack()
  const proxies: { broker?: CuttableProxy; database?: CuttableProxy } = {}
  const detour = async (parts: Parts): Promise<Parts> => {
    const { broker: part, databaseUrl } = parts
    if (part === undefined || databaseUrl === undefined) throw new TypeError('The system has no broker or no database')
    const broker = stack.use(await startCuttableProxy(part.amqpUrl))
    const database = stack.use(await startCuttableProxy(databaseUrl))
    Object.assign(proxies, { broker, database })
    return { ...parts, broker: { ...part, amqpUrl: broker.url }, databaseUrl: database.url }
  }
  const system = stack.use(await startSystem({ ...options, copies: COPIES, reportOnly: false, detour }, signal))
  const { broker, database } = proxies
  if (broker === undefined || database === undefined) throw new TypeError('The system was started without its proxies')
  const owned = stack.move()
  return { system, proxies: { broker, database }, [Symbol.asyncDispose]: () => owned.disposeAsync() }
}
