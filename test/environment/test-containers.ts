import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { runProgram } from '@gatehouse/broker/local'
import type { PostgreSqlContainer as PostgresContainer } from '@testcontainers/postgresql'
import { findFreePorts } from '../../libs/broker/src/find-free-ports.ts'
import type { NodeUnderTest } from '../../libs/broker/test/broker-under-test.ts'

/** All containers of one test run carry it, and are found and removed by it whoever started them. */
const RUN_LABEL = 'org.gatehouse.test-run'
export const RABBITMQ_IMAGE = 'rabbitmq:4-management'
export const POSTGRES_IMAGE = 'postgres:18'
const CONNECTIONS_MAX = 300
const ASK_MS = 20_000
const PULL_MS = 5 * 60_000
const START_MS = 120_000

/** Pulls the image when the engine has it not. Throws an error with Docker's last words when it cannot be had. */
export async function ensureImage(image: string, signal: AbortSignal): Promise<void> {
  const inspected = await runProgram('docker', ['image', 'inspect', image], { signal, timeoutMs: ASK_MS })
  if (inspected.code === 0) return
  const pulled = await runProgram('docker', ['pull', '--quiet', image], { signal, timeoutMs: PULL_MS })
  if (pulled.code === 0) return
  throw new Error(`The Docker engine has no ${image} and cannot pull it: ${pulled.output.trim().split('\n').at(-1) ?? ''}`)
}

export function createRunLabel(): string {
  return randomBytes(6).toString('hex')
}

/** Starts RabbitMQ in a container that keeps its ports and its data over a restart. */
export async function startRabbitmqContainer(
  options: { image: string; run: string },
  signal: AbortSignal,
): Promise<NodeUnderTest & { user: string; password: string }> {
  signal.throwIfAborted()
  prepareEnvironment()
  // Loaded only where there is an engine: it is large.
  const { RabbitMQContainer } = await import('@testcontainers/rabbitmq')
  const [amqp, management] = (await findFreePorts(2)) as [number, number]
  const container = await new RabbitMQContainer(options.image)
    // The data belong to the name.
    .withHostname('gatehouse-test')
    .withLabels({ [RUN_LABEL]: options.run })
    .withExposedPorts({ container: 5672, host: amqp }, { container: 15672, host: management })
    .withStartupTimeout(START_MS)
    .start()
  const host = container.getHost()
  return {
    amqpUrl: `amqp://guest:guest@${host}:${amqp}`,
    managementUrl: `http://${host}:${management}`,
    user: 'guest',
    password: 'guest',
    stop: async () => {
      await container.stop()
    },
    restart: ({ kill = false } = {}) => container.restart({ timeout: kill ? 0 : 20 }),
    rabbitmqctl: async (...args) => {
      const { exitCode, output } = await container.exec(['rabbitmqctl', ...args], { user: 'rabbitmq' })
      if (exitCode !== 0) throw new Error(`rabbitmqctl ${args.join(' ')}: ${output.slice(-500)}`)
      return output
    },
  }
}

/** Starts PostgreSQL in a container, as fast and as little durable as the embedded one of the tests. */
export async function startPostgresContainer(
  options: { image: string; run: string },
  signal: AbortSignal,
): Promise<{ url: string; stop(): Promise<void> }> {
  signal.throwIfAborted()
  prepareEnvironment()
  const { PostgreSqlContainer } = await import('@testcontainers/postgresql')
  const settings = { max_connections: CONNECTIONS_MAX, fsync: 'off', full_page_writes: 'off', synchronous_commit: 'off' }
  const container: PostgresContainer = new PostgreSqlContainer(options.image)
    .withLabels({ [RUN_LABEL]: options.run })
    .withStartupTimeout(START_MS)
    .withCommand(['postgres', ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])])
  const started = await container.start()
  return {
    url: started.getConnectionUri(),
    stop: async () => {
      await started.stop()
    },
  }
}

/** Removes what the run has left, also containers whose test process was killed. */
export async function removeContainers(run: string): Promise<void> {
  const signal = new AbortController().signal
  const docker = (...args: string[]) => runProgram('docker', args, { signal, timeoutMs: ASK_MS })
  const { output } = await docker('ps', '--all', '--quiet', '--filter', `label=${RUN_LABEL}=${run}`)
  const ids = output.split('\n').filter((id) => id !== '')
  if (ids.length > 0) await docker('rm', '--force', '--volumes', ...ids)
}

/** The container that removes the others would have to be pulled; we remove ours by their label. */
function prepareEnvironment(): void {
  process.env['TESTCONTAINERS_RYUK_DISABLED'] ??= 'true'
  // In a container of its own, the engine's ports are not on our loopback.
  if (!existsSync('/.dockerenv')) process.env['TESTCONTAINERS_HOST_OVERRIDE'] ??= '127.0.0.1'
}
