import { setTimeout as delay } from 'node:timers/promises'
import {
  type ReadyLine,
  type StartedProcess,
  startProcess,
  WORKER_NAMES,
  type WorkerName,
  workerArguments,
  workerEnvironment,
} from './start-worker-process.ts'

export type SupervisorOptions = {
  readonly settingsPath: string
  readonly env: Record<string, string | undefined>
  /** Copies of each worker; one where nothing is said. */
  readonly copies: Partial<Record<WorkerName, number>>
  readonly log: number | 'inherit'
  readonly onEvent: (event: WorkerEvent) => void
}

export type WorkerEvent = { kind: 'ready' | 'exited' | 'start-failed'; worker: string; pid?: number; detail?: string }

export type WorkerSet = {
  /** The processes that run now, by `name` or `name#copy`. */
  readonly running: ReadonlyMap<string, StartedProcess>
  ready(worker: WorkerName): ReadyLine | undefined
  /** Ends a worker at once, as a crash would; the supervisor starts it again. */
  crash(worker: string): Promise<void>
} & AsyncDisposable

const READY_MS = 90_000
const STOP_GRACE_MS = 40_000
const RESTART_DELAY_MS = 500
const RESTART_DELAY_MS_MAX = 30_000

/**
 * Starts every worker as a process of its own, starts again what ends by itself, and stops all of them when disposed:
 * the workers that take work first, control last, since it records what the others still finish.
 * @throws the error of the first worker that cannot start; those already started are stopped.
 */
export async function superviseWorkers(options: SupervisorOptions, signal: AbortSignal): Promise<WorkerSet> {
  const stopping = new AbortController()
  const running = new Map<string, StartedProcess>()
  const keepers: Promise<void>[] = []
  const until = AbortSignal.any([signal, stopping.signal])
  const stopAll = async (): Promise<void> => {
    stopping.abort()
    const ordered = [...running.values()].filter((one) => !one.name.startsWith('control'))
    await Promise.all(ordered.map((one) => one.stop(STOP_GRACE_MS)))
    await Promise.all([...running.values()].map((one) => one.stop(STOP_GRACE_MS)))
    await Promise.all(keepers)
  }
  try {
    // Control goes first: it writes the organisations and the policy that every other worker reads.
    for (const group of [['control'], WORKER_NAMES.filter((name) => name !== 'control')] as const) {
      const names = group.flatMap((name) => copiesOf(name, options.copies[name] ?? 1))
      await Promise.all(names.map(async (name) => running.set(name, await startOne(name, options, until))))
    }
  } catch (error) {
    await stopAll()
    throw error
  }
  for (const name of running.keys()) keepers.push(keepRunning(name, running, options, until))
  return {
    running,
    ready: (worker) => running.get(worker)?.ready,
    crash: async (worker) => {
      const victim = running.get(worker)
      victim?.kill()
      await victim?.exited
    },
    [Symbol.asyncDispose]: stopAll,
  }
}

function copiesOf(name: WorkerName, count: number): string[] {
  return Array.from({ length: count }, (_, index) => (index === 0 ? name : `${name}#${index + 1}`))
}

async function startOne(name: string, options: SupervisorOptions, signal: AbortSignal): Promise<StartedProcess> {
  const [worker, copy] = name.split('#') as [WorkerName, string | undefined]
  // Several processes of one settings file on one machine cannot all listen on the ports that it names.
  const env = {
    ...workerEnvironment(options.env),
    GATEHOUSE_HEALTH_PORT: '0',
    // Starts that fail are paced here.
    GATEHOUSE_WORKER_RESTART_DELAY_SECONDS: '0',
    ...(copy === undefined ? {} : { GATEHOUSE_CONTROL_PORT: '0' }),
  }
  const started = await startProcess(
    { name, arguments: workerArguments(worker, options.settingsPath), env, log: options.log, readyMs: READY_MS },
    signal,
  )
  options.onEvent({ kind: 'ready', worker: name, pid: started.pid })
  return started
}

async function keepRunning(
  name: string,
  running: Map<string, StartedProcess>,
  options: SupervisorOptions,
  signal: AbortSignal,
): Promise<void> {
  let delayMs = RESTART_DELAY_MS
  while (!signal.aborted) {
    const current = running.get(name)
    if (current !== undefined) {
      const startedAt = Date.now()
      const { code, signal: killedBy } = await current.exited
      if (signal.aborted) return
      running.delete(name)
      options.onEvent({ kind: 'exited', worker: name, pid: current.pid, detail: String(code ?? killedBy) })
      if (Date.now() - startedAt > RESTART_DELAY_MS_MAX) delayMs = RESTART_DELAY_MS
    }
    await delay(delayMs, undefined, { signal }).catch(() => undefined)
    if (signal.aborted) return
    try {
      running.set(name, await startOne(name, options, signal))
    } catch (error) {
      options.onEvent({ kind: 'start-failed', worker: name, detail: String(error) })
      delayMs = Math.min(delayMs * 2, RESTART_DELAY_MS_MAX)
    }
  }
}
