import { randomBytes } from 'node:crypto'
import { openSync } from 'node:fs'
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createDatabase, type Store } from '@gatehouse/store'
import { type ControlClient, createControlClient } from '../control-client.ts'
import type { WorkerName } from '../processes/start-worker-process.ts'
import { superviseWorkers, type WorkerEvent, type WorkerSet } from '../processes/supervise-workers.ts'
import { findPowerShellHost } from './find-powershell-host.ts'
import { prepareParts } from './prepare-parts.ts'
import { type Parts, startParts } from './start-parts.ts'
import { type Simulators, startSimulators } from './start-simulators.ts'
import { writeDemoSettings } from './write-settings.ts'

export type SystemOptions = {
  readonly devices: number
  readonly latencyMs: number
  readonly seed: number
  readonly runspaces: number
  readonly copies: Partial<Record<WorkerName, number>>
  readonly faultsFile: string | undefined
  /** Default `remoting`. `host`: the workers run their cmdlets through a PowerShell of this machine. */
  readonly engine?: 'remoting' | 'host' | undefined
  /** For `host`: instead of the one that is built. */
  readonly executable?: string | undefined
  readonly reportOnly: boolean
  /** What the workers are to take for the broker and the database: a test may stand in between. Default: the parts themselves. */
  readonly detour?: ((parts: Parts) => Promise<Parts>) | undefined
  readonly env: Record<string, string | undefined>
  readonly log: (line: string) => void
  readonly onWorkerEvent: (event: WorkerEvent) => void
}

/** Everything a demo or an end-to-end test needs, as processes of its own over real sockets. */
export type System = {
  readonly directory: string
  readonly settingsPath: string
  readonly parts: Parts
  readonly simulators: Simulators
  readonly workers: WorkerSet
  readonly control: ControlClient
  readonly store: Store
} & AsyncDisposable

/** What a sync is watched and judged by, whoever started the system. */
export type SystemView = Pick<System, 'control' | 'store'> & {
  readonly simulators: Pick<Simulators, 'exchangeState' | 'microsoftState'>
  /** The workers whose memory can be read here, by name. */
  readonly workers: { readonly running: ReadonlyMap<string, { readonly pid: number }> }
}

const TAIL_LINES = 30

/** Starts simulators, broker, database and all workers. Disposing stops them in reverse and removes their files. */
export async function startSystem(options: SystemOptions, signal: AbortSignal): Promise<System> {
  await using stack = new AsyncDisposableStack()
  const directory = await mkdtemp(join(tmpdir(), 'gatehouse-'))
  // The database may run as a user of its own, who must be able to reach its folder below this one.
  await chmod(directory, 0o711)
  stack.defer(() => rm(directory, { recursive: true, force: true, maxRetries: 3 }))
  const logs = join(directory, 'logs')
  await mkdir(logs)
  const logOf = (name: string): number => openSync(join(logs, `${name}.log`), 'a')
  options.log(`Files and logs of this run: ${directory}`)

  const powerShell =
    options.engine === 'host'
      ? await findPowerShellHost({ env: options.env, executable: options.executable }, signal)
      : undefined
  const simulatorOptions = { ...options, log: logOf('simulators') }
  const [parts, simulators] = await Promise.all([
    startParts({ ...options, directory, need: { broker: true, database: true }, isolated: true, durable: false }, signal).then(
      (one) => stack.use(one),
    ),
    startSimulators(simulatorOptions, signal).then((one) => stack.use(one)),
  ])
  const written = await writeDemoSettings({
    ...options,
    directory,
    simulators: simulators.ready,
    managementUrl: parts.broker?.managementUrl,
    powerShell,
  })
  await writeFile(join(written.secretsDirectory, 'api-token'), randomBytes(24).toString('hex'), { mode: 0o600 })
  const reached = options.detour === undefined ? parts : await options.detour(parts)
  const env = await prepareParts(
    { parts: reached, env: options.env, secretsDirectory: written.secretsDirectory, log: options.log },
    signal,
  )

  const workerOptions = {
    ...options,
    settingsPath: written.settingsPath,
    env,
    log: logOf('workers'),
    onEvent: options.onWorkerEvent,
  }
  const workers = stack.use(
    await superviseWorkers(workerOptions, signal).catch(async (error: unknown) => {
      // The folder goes with the failed system; what the workers said last must not.
      options.log(await readTail(join(logs, 'workers.log')))
      throw error
    }),
  )
  const control = stack.use(
    await createControlClient({ url: controlUrl(workers), tokenFile: join(written.secretsDirectory, 'api-token') }, signal),
  )
  const store = stack.use(
    createDatabase({
      url: parts.databaseUrl ?? '',
      applicationName: 'gatehouse-cli',
      connectionsMax: 2,
      onConnectionError: () => {},
    }),
  )
  const owned = stack.move()
  return {
    directory,
    settingsPath: written.settingsPath,
    parts,
    simulators,
    workers,
    control,
    store,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

async function readTail(path: string): Promise<string> {
  const text = await readFile(path, 'utf8').catch(() => '')
  return text.split('\n').slice(-TAIL_LINES).join('\n')
}

function controlUrl(workers: WorkerSet): string {
  const url = workers.ready('control')?.url
  if (typeof url !== 'string') throw new TypeError('The ready line of control names no url')
  return url
}
