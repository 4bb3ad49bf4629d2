import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import type { System, WorkerName } from '@gatehouse/cli/system'
import { startProcess, workerArguments, workerEnvironment } from '../../../services/cli/src/processes/start-worker-process.ts'
import { sumSamples } from '../../environment/sum-samples.ts'

export type MeasuredWorker = {
  /** The most it ever held, from its start. */
  readonly mostMiB: number
  /** What it held at the end. */
  readonly residentMiB: number
  readonly handled: number
}

const READY_MS = 60_000
const STOP_MS = 60_000
const POLL_MS = 250

/** Starts a worker of the system, lets it run for so long, stops it, and tells its memory. `onHandled` is told its progress. */
export async function measureWorker(
  system: System,
  options: { name: WorkerName; seconds: number; onHandled?: (count: number) => Promise<void> },
  signal: AbortSignal,
): Promise<MeasuredWorker> {
  const { name, seconds, onHandled } = options
  const env = workerEnvironment(environmentOf(system))
  const started = await startProcess(
    { name, arguments: workerArguments(name, system.settingsPath), env, log: 'inherit', readyMs: READY_MS },
    signal,
  )
  try {
    const endsAt = performance.now() + seconds * 1_000
    let handled = 0
    while (performance.now() < endsAt) {
      await wait(POLL_MS, undefined, { signal })
      const now = await readHandled(started.ready.healthUrl ?? '')
      await onHandled?.(now - handled)
      handled = now
    }
    return { ...(await readMemory(started.pid)), handled }
  } finally {
    await started.stop(STOP_MS)
  }
}

async function readMemory(pid: number): Promise<{ mostMiB: number; residentMiB: number }> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  const read = (field: string): number =>
    Math.round(Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]) / 1024)
  return { mostMiB: read('VmHWM'), residentMiB: read('VmRSS') }
}

/** All messages that the worker has handled, whatever came of them. */
async function readHandled(healthUrl: string): Promise<number> {
  const text = await (await fetch(`${healthUrl}/metrics`)).text()
  return sumSamples(text, /^gatehouse_message_handling_seconds_count\{.*\} (\d+)$/gm)
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
