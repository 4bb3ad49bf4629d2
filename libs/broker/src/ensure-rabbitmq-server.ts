import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import { PermanentError } from '@gatehouse/messages'
import type { BrokerLog } from './broker-options.ts'
import { type RunProgram, runProgram } from './run-program.ts'

const INSTALL_TIMEOUT_MS = 10 * 60_000

/**
 * Debian's /usr/sbin/rabbitmq-server is a wrapper that changes to user rabbitmq and to its data folder; the script that it
 * calls runs as anybody, anywhere.
 */
const UNWRAPPED = '/usr/lib/rabbitmq/bin/rabbitmq-server'

const WAYS_TO_A_BROKER = [
  'set GATEHOUSE_AMQP_URL (and GATEHOUSE_RABBITMQ_MANAGEMENT_URL) to a RabbitMQ you have',
  'start a Docker engine',
  'put rabbitmq-server (3.10 or later) on the PATH',
  'on Debian or Ubuntu run as root, so that it can be installed with apt-get',
] as const

export type EnsureOptions = {
  readonly log: Pick<BrokerLog, 'info'>
  readonly signal: AbortSignal
  readonly path: string
  readonly isExecutable?: (file: string) => boolean
  readonly userId?: number
  readonly run?: RunProgram
}

/** The rabbitmq-server program of this machine, or undefined. */
export function findRabbitmqServer(path: string, executable: (file: string) => boolean = isExecutable): string | undefined {
  const folders = path.split(delimiter).filter((folder) => folder !== '')
  const onPath = folders.map((folder) => join(folder, 'rabbitmq-server')).find(executable)
  const isWrapped = onPath === undefined || onPath.startsWith('/usr/sbin/') || onPath.startsWith('/sbin/')
  return isWrapped && executable(UNWRAPPED) ? UNWRAPPED : onPath
}

/**
 * The rabbitmq-server program, installed with apt-get if it is not there and we are root on Debian or Ubuntu; says so first.
 * @throws PermanentError `rabbitmq-unavailable` naming the ways to a broker.
 */
export async function ensureRabbitmqServer(options: EnsureOptions): Promise<string> {
  const executable = options.isExecutable ?? isExecutable
  const found = findRabbitmqServer(options.path, executable)
  if (found !== undefined) return found
  const userId = options.userId ?? process.getuid?.()
  if (userId !== 0 || !executable('/usr/bin/apt-get')) throw unavailable('rabbitmq-server is not on the PATH')
  await install(options)
  const installed = findRabbitmqServer(options.path, executable)
  if (installed === undefined) throw unavailable('apt-get installed no rabbitmq-server')
  return installed
}

async function install(options: EnsureOptions): Promise<void> {
  const run = options.run ?? runProgram
  options.log.info(
    { package: 'rabbitmq-server' },
    'Installing rabbitmq-server with apt-get: no broker was found on this machine',
  )
  // RUNLEVEL=1 keeps the package, where init honours it, from starting a node of its own that nobody asked for.
  const apt = (...args: string[]): ReturnType<RunProgram> =>
    run('/usr/bin/env', ['DEBIAN_FRONTEND=noninteractive', 'RUNLEVEL=1', 'apt-get', ...args], {
      signal: options.signal,
      timeoutMs: INSTALL_TIMEOUT_MS,
    })
  const installPackage = (): ReturnType<RunProgram> => apt('install', '-y', '--no-install-recommends', 'rabbitmq-server')
  if ((await installPackage()).code === 0) return
  // A fresh machine has no package lists yet.
  await apt('update')
  const second = await installPackage()
  if (second.code !== 0) throw unavailable(`apt-get failed: ${second.output.trim().slice(-500)}`)
}

/** The error for a machine on which none of the ways is open. */
function unavailable(reason: string): PermanentError {
  return new PermanentError(
    'rabbitmq-unavailable',
    `No RabbitMQ to use (${reason}). Ways out: ${WAYS_TO_A_BROKER.join('; or ')}`,
  )
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}
