import { openSync } from 'node:fs'
import { chmod, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import {
  createControlClient,
  type Parts,
  prepareParts,
  type StartedProcess,
  startParts,
  startProcess,
  superviseWorkers,
  type WorkerEvent,
  type WorkerName,
  type WorkerSet,
} from '@gatehouse/cli/system'
import type { OrganizationsReady, ServedExchange, ServedOrganization, ServeOrganizationsOptions } from '@gatehouse/simulators'
import { createDatabase, type Store } from '@gatehouse/store'
import { shareOut } from './plan-organizations.ts'
import { writeSettings } from './write-settings.ts'

export type FleetOptions = {
  readonly organizations: readonly ServedOrganization[]
  readonly latencyMs: number
  readonly copies: Partial<Record<WorkerName, number>>
  readonly env: Record<string, string | undefined>
  readonly log: (line: string) => void
  readonly onWorkerEvent: (event: WorkerEvent) => void
  /** Before any worker runs: what is out of order from the start. */
  readonly beforeWorkers?: (exchanges: readonly ServedExchange[]) => Promise<void>
}

/** One Gatehouse, an Exchange for each organisation, and the Microsoft tenant of all. */
export type Fleet = {
  readonly parts: Parts
  readonly settingsPath: string
  /** In which its workers run. */
  readonly env: Record<string, string | undefined>
  readonly exchanges: readonly ServedExchange[]
  readonly microsoftUrl: string
  readonly simulators: readonly StartedProcess[]
  readonly workers: WorkerSet
  readonly control: Awaited<ReturnType<typeof createControlClient>>
  readonly store: Store
} & AsyncDisposable

/** Of the Exchanges; Microsoft has one of its own. */
const EXCHANGE_PROCESSES = 2
const READY_MS = 5 * 60_000
const STOP_MS = 10_000

/** Starts all of it as processes of their own. Disposing stops them in reverse and removes their files. */
export async function startFleet(options: FleetOptions, signal: AbortSignal): Promise<Fleet> {
  await using stack = new AsyncDisposableStack()
  const directory = await mkdtemp(join(tmpdir(), 'gatehouse-'))
  // The database may run as a user of its own, who must be able to reach its folder below this one.
  await chmod(directory, 0o711)
  stack.defer(() => rm(directory, { recursive: true, force: true, maxRetries: 3 }))
  await mkdir(join(directory, 'logs'))
  const logOf = (name: string): number => openSync(join(directory, 'logs', `${name}.log`), 'a')
  options.log(`Files and logs of this run: ${directory}`)

  const need = { broker: true, database: true }
  const starting = [
    startParts({ ...options, directory, need, isolated: true, durable: false }, signal).then((one) => stack.use(one)),
    startSimulators(options, { stack, log: logOf('simulators') }, signal),
  ] as const
  // What one of them opens late must still be closed when the other fails.
  await Promise.allSettled(starting)
  const [parts, { simulators, exchanges, microsoft }] = await Promise.all(starting)
  const managementUrl = parts.broker?.managementUrl
  const written = await writeSettings({ directory, exchanges, microsoft, managementUrl })
  const env = await prepareParts({ ...options, ...written, parts }, signal)
  await options.beforeWorkers?.(exchanges)
  const { settingsPath, tokenFile } = written
  const workerOptions = { ...options, settingsPath, env, log: logOf('workers'), onEvent: options.onWorkerEvent }
  const workers = stack.use(await superviseWorkers(workerOptions, signal))
  const url = workers.ready('control')?.url ?? ''
  const control = stack.use(await createControlClient({ url, tokenFile }, signal))
  const store = createDatabase({
    url: parts.databaseUrl ?? '',
    applicationName: 'gatehouse-campaign',
    connectionsMax: 2,
    onConnectionError: () => {},
  })
  stack.use(store)
  const owned = stack.move()
  const microsoftUrl = microsoft.endpoint
  const reached = { parts, settingsPath, env, exchanges, microsoftUrl, simulators, workers, control, store }
  return { ...reached, [Symbol.asyncDispose]: () => owned.disposeAsync() }
}

async function startSimulators(
  { organizations, latencyMs, env }: FleetOptions,
  o: { stack: AsyncDisposableStack; log: number },
  signal: AbortSignal,
) {
  const start = async (serve: ServeOrganizationsOptions['serve']): Promise<StartedProcess> => {
    const script = fileURLToPath(new URL('./serve-simulators.ts', import.meta.url))
    const served: ServeOrganizationsOptions = { organizations, serve, latencyMs }
    const name = serve === 'microsoft' ? serve : 'exchange'
    const process = await startProcess(
      { name, arguments: [script, JSON.stringify(served)], env, log: o.log, readyMs: READY_MS },
      signal,
    )
    o.stack.defer(() => process.stop(STOP_MS))
    return process
  }
  const shares = shareOut(organizations, EXCHANGE_PROCESSES).map((share) => ({ exchangesOf: share.map(({ name }) => name) }))
  const starting = [...shares, 'microsoft' as const].map(start)
  await Promise.allSettled(starting)
  const simulators = await Promise.all(starting)
  const ready = simulators.map((one) => one.ready as unknown as OrganizationsReady)
  const microsoft = ready.find((one) => one.microsoft !== undefined)?.microsoft
  if (microsoft === undefined) throw new TypeError('No process serves Microsoft')
  const order = new Map(organizations.map(({ name }, index) => [name, index]))
  const exchanges = ready
    .flatMap((one) => one.exchanges)
    .toSorted((a, b) => (order.get(a.name) ?? 0) - (order.get(b.name) ?? 0))
  return { simulators, exchanges, microsoft }
}
