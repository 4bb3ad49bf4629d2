import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import type { System, WorkerName } from '@gatehouse/cli/system'
import { startProcess, workerArguments, workerEnvironment } from '../../../services/cli/src/processes/start-worker-process.ts'

export type MeasuredWorker = {
  /** The most it ever held, from its start. */
  readonly mostMiB: number
  /** What it held at the end. */
  readonly residentMiB: number
  readonly handled: number
}

const READY_MS = 60_000
const STOP_MS = 60_000

/** Starts a worker of the system, lets it run for so long, and tells its memory. Disposing stops it. */
export async function measureWorker(
  system: System,
  options: { name: WorkerName; seconds: number },
  signal: AbortSignal,
): Promise<{ mostMiB: number; residentMiB: number } & AsyncDisposable> {
  const { name, seconds } = options
  const started = await startProcess(
    {
      name,
      arguments: workerArguments(name, system.settingsPath),
      env: workerEnvironment(environmentOf(system)),
      log: 'inherit',
      readyMs: READY_MS,
    },
    signal,
  )
  const stop = () => started.stop(STOP_MS)
  try {
    await wait(seconds * 1_000, undefined, { signal })
    const status = await readFile(`/proc/${started.pid}/status`, 'utf8')
    const read = (field: string): number =>
      Math.round(Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]) / 1024)
    return { mostMiB: read('VmHWM'), residentMiB: read('VmRSS'), [Symbol.asyncDispose]: stop }
  } catch (error) {
    await stop()
    throw error
  }
}

/** As the demo gives it to its workers. */
function environmentOf({ parts, directory }: System): Record<string, string | undefined> {
  const { broker, databaseUrl } = parts
  if (broker === undefined) throw new TypeError('The system has no broker')
  const url = new URL(broker.amqpUrl)
  url.username = ''
  url.password = ''
  url.pathname = `/${encodeURIComponent(broker.vhost)}`
  return {
    ...process.env,
    GATEHOUSE_WORKER_LOG_LEVEL: 'error',
    GATEHOUSE_WORKER_HEALTH_PORT: '0',
    GATEHOUSE_DATABASE_URL: databaseUrl,
    GATEHOUSE_BROKER_URL: url.href,
    GATEHOUSE_BROKER_USERS_PASSWORD_DIRECTORY: join(directory, 'secrets', 'broker'),
    GATEHOUSE_BROKER_USER_PREFIX: broker.userPrefix,
  }
}
