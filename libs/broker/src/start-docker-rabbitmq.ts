import { randomBytes } from 'node:crypto'
import { PermanentError, RetryableError } from '@gatehouse/messages'
import type { BrokerLog } from './broker-options.ts'
import type { ChosenBroker } from './choose-broker.ts'
import { findFreePorts } from './find-free-ports.ts'
import type { RunProgram } from './run-program.ts'
import { waitForManagement } from './wait-for-management.ts'

const IMAGE = 'rabbitmq:4-management'
const PULL_TIMEOUT_MS = 10 * 60_000
/** An engine that is there answers in milliseconds. */
const ASK_TIMEOUT_MS = 5_000
const COMMAND_TIMEOUT_MS = 60_000
const START_TIMEOUT_MS = 120_000
/** Inside the container. */
const AMQP_PORT = 5_672

/** Tells whether a Docker engine answers here: the one of DOCKER_HOST or of the default socket. At most five seconds. */
export async function findDockerEngine(run: RunProgram, signal: AbortSignal): Promise<boolean> {
  const version = await run('docker', ['version', '--format', '{{.Server.Version}}'], { signal, timeoutMs: ASK_TIMEOUT_MS })
  return version.code === 0
}

/**
 * Runs RabbitMQ in a container on free loopback ports and resolves once it answers.
 * @throws PermanentError `rabbitmq-unavailable` with Docker's words; RetryableError `rabbitmq-not-started`.
 */
export async function startDockerRabbitmq(options: {
  log: Pick<BrokerLog, 'info'>
  signal: AbortSignal
  run: RunProgram
}): Promise<ChosenBroker> {
  const { log, signal, run } = options
  const password = randomBytes(18).toString('base64url')
  // Chosen here, since a port that Docker chooses changes with a restart.
  const [amqp, management] = (await findFreePorts(2)) as [number, number]
  log.info({ image: IMAGE, port: amqp }, 'Starting RabbitMQ in a Docker container')
  const started = await run('docker', containerArguments({ amqp, management, password }), {
    signal,
    timeoutMs: PULL_TIMEOUT_MS,
  })
  const id = started.output.trim().split('\n').at(-1) ?? ''
  if (started.code !== 0)
    throw new PermanentError('rabbitmq-unavailable', `docker run failed: ${started.output.trim().slice(-500)}`)
  const docker = (...args: string[]): ReturnType<RunProgram> =>
    // Not our signal: what was started must be ended also when we are asked to stop.
    run('docker', args, { signal: new AbortController().signal, timeoutMs: COMMAND_TIMEOUT_MS })
  const stop = async (): Promise<void> => {
    await docker('rm', '--force', '--volumes', id)
  }
  const managementUrl = `http://127.0.0.1:${management}`
  const access = { managementUrl, user: 'gatehouse', password, amqpPort: AMQP_PORT }
  const ready = async (): Promise<void> => {
    const isReady = await waitForManagement(access, AbortSignal.any([signal, AbortSignal.timeout(START_TIMEOUT_MS)]))
    if (!isReady) throw new RetryableError('rabbitmq-not-started', `RabbitMQ did not start in container ${id.slice(0, 12)}`)
  }
  await ready().catch(async (error) => {
    await stop()
    throw error
  })
  return {
    kind: 'docker',
    amqpUrl: `amqp://gatehouse:${password}@127.0.0.1:${amqp}`,
    ...access,
    stop,
    restart: async ({ kill = false } = {}) => {
      if (kill) await docker('kill', id)
      await docker(...(kill ? ['start'] : ['restart', '--time', '20']), id)
      await ready()
    },
  }
}

function containerArguments(o: { amqp: number; management: number; password: string }): string[] {
  return [
    'run',
    '--detach',
    // A fixed name of the node, for its data to be found again after a restart.
    '--hostname',
    'gatehouse-rabbitmq',
    '--label',
    'org.gatehouse.purpose=local-broker',
    '--publish',
    `127.0.0.1:${o.amqp}:${AMQP_PORT}`,
    '--publish',
    `127.0.0.1:${o.management}:15672`,
    '--env',
    'RABBITMQ_DEFAULT_USER=gatehouse',
    '--env',
    `RABBITMQ_DEFAULT_PASS=${o.password}`,
    IMAGE,
  ]
}
