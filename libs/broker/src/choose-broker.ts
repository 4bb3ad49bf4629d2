import { PermanentError } from '@gatehouse/messages'
import type { BrokerLog } from './broker-options.ts'
import { findRabbitmqServer } from './ensure-rabbitmq-server.ts'
import { type RunProgram, runProgram } from './run-program.ts'
import { findDockerEngine, startDockerRabbitmq } from './start-docker-rabbitmq.ts'
import { startLocalRabbitmq } from './start-local-rabbitmq.ts'

export type ChosenBroker = {
  readonly kind: 'url' | 'docker' | 'local'
  /** With user and password, without a virtual host. */
  readonly amqpUrl: string
  readonly managementUrl: string
  readonly user: string
  readonly password: string
  /** Ends what was started here; a broker that was named by its URL is left alone. */
  stop(): Promise<void>
  /** Absent for a broker that is not ours. `kill`: without letting it say goodbye. */
  readonly restart?: (options?: { kill?: boolean }) => Promise<void>
}

export type ChooseBrokerOptions = {
  /** GATEHOUSE_AMQP_URL, GATEHOUSE_RABBITMQ_MANAGEMENT_URL and PATH are read. */
  readonly env: Readonly<Record<string, string | undefined>>
  /** Where a node of our own keeps its files. */
  readonly directory: string
  readonly log: Pick<BrokerLog, 'info' | 'warn'>
  readonly signal: AbortSignal
  readonly run?: RunProgram
}

const MANAGEMENT_PORT = 15_672

/**
 * The broker to use on this machine: the one that the environment names, else one in a Docker engine, else rabbitmq-server
 * from the PATH, else installed with apt-get on Debian or Ubuntu as root, announced first.
 * @throws PermanentError `rabbitmq-unavailable` naming these four ways; `settings-invalid` for a URL that is none.
 */
export async function chooseBroker(options: ChooseBrokerOptions): Promise<ChosenBroker> {
  const { env, log, signal, directory } = options
  if (env['GATEHOUSE_AMQP_URL'] !== undefined && env['GATEHOUSE_AMQP_URL'] !== '')
    return namedBroker(env['GATEHOUSE_AMQP_URL'], env['GATEHOUSE_RABBITMQ_MANAGEMENT_URL'])
  const run = options.run ?? runProgram
  if (await findDockerEngine(run, signal)) return await startDockerRabbitmq({ log, signal, run })
  const path = env['PATH'] ?? ''
  const isInstalled = findRabbitmqServer(path) !== undefined
  log.info({ directory, isInstalled }, 'Starting a RabbitMQ node of our own')
  const local = await startLocalRabbitmq({ directory, log, signal, path })
  return {
    kind: 'local',
    amqpUrl: local.amqpUrl,
    managementUrl: local.managementUrl,
    user: local.user,
    password: local.password,
    stop: () => local.stop(),
    restart: (how) => local.restart(how),
  }
}

function namedBroker(amqpUrl: string, managementUrl: string | undefined): ChosenBroker {
  const url = URL.parse(amqpUrl)
  if (url === null || !/^amqps?:$/.test(url.protocol))
    throw new PermanentError('settings-invalid', 'GATEHOUSE_AMQP_URL must be amqp://user:password@host:port')
  // Where the broker is, the management API usually is too.
  const guessed = `${url.protocol === 'amqps:' ? 'https' : 'http'}://${url.hostname}:${MANAGEMENT_PORT}`
  return {
    kind: 'url',
    amqpUrl,
    managementUrl: managementUrl === undefined || managementUrl === '' ? guessed : managementUrl,
    user: decodeURIComponent(url.username || 'guest'),
    password: decodeURIComponent(url.password || 'guest'),
    stop: async () => {},
  }
}
