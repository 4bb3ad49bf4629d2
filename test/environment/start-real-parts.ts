import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { chooseBroker, findDockerEngine, runProgram, startLocalRabbitmq } from '@gatehouse/broker/local'
import { startLocalPostgres } from '@gatehouse/store/local'
import type { TestProject } from 'vitest/node'
import { buildPowerShellHost } from './powershell-host.ts'
import type {} from './provided-parts.ts'
import {
  createRunLabel,
  ensureImage,
  POSTGRES_IMAGE,
  RABBITMQ_IMAGE,
  removeContainers,
  startPostgresContainer,
  startRabbitmqContainer,
} from './test-containers.ts'

/** Apt may have to fetch RabbitMQ first. */
const START_MS = 12 * 60_000

type Place = { directory: string; run: string; hasEngine: boolean; stack: AsyncDisposableStack; signal: AbortSignal }

/** Starts the real parts once for all test files of a run and ends them after the last. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const signal = AbortSignal.timeout(START_MS)
  const directory = await mkdtemp(join(tmpdir(), 'gatehouse-test-'))
  await using stack = new AsyncDisposableStack()
  stack.defer(() => rm(directory, { recursive: true, force: true }))
  // Here and not only where it is needed, so that test files that run at once do not each build it.
  const building = buildPowerShellHost()
  const run = createRunLabel()
  const hasEngine = await findDockerEngine(runProgram, signal)
  if (hasEngine) stack.defer(() => removeContainers(run))
  const place = { directory, run, hasEngine, stack, signal }
  const starting = [startBroker(place), startDatabase(place), building] as const
  await Promise.allSettled(starting)
  const [broker, databaseUrl] = await Promise.all(starting)
  project.provide('parts', { ...broker, databaseUrl })
  const owned = stack.move()
  return () => owned.disposeAsync()
}

/** What the environment names, else a container, else a process of our own. */
async function startBroker(place: Place) {
  const { directory, run, stack, signal } = place
  const named = process.env['GATEHOUSE_AMQP_URL']
  if (named !== undefined && named !== '') {
    const { amqpUrl, managementUrl, user, password } = await chooseBroker({ env: process.env, directory, log, signal })
    return { amqpUrl, managementUrl, brokerUser: user, brokerPassword: password }
  }
  const inContainer = () => startRabbitmqContainer({ image: RABBITMQ_IMAGE, run }, signal)
  const own = () => startLocalRabbitmq({ directory: join(directory, 'rabbitmq'), log, signal })
  const broker = await startPart(place, RABBITMQ_IMAGE, { inContainer, own })
  stack.defer(() => broker.stop())
  const { amqpUrl, managementUrl, user, password } = broker
  return { amqpUrl, managementUrl, brokerUser: user, brokerPassword: password }
}

async function startDatabase(place: Place): Promise<string> {
  const { directory, run, stack, signal } = place
  const given = process.env['GATEHOUSE_DATABASE_URL']
  if (given !== undefined && given !== '') return given
  const inContainer = () => startPostgresContainer({ image: POSTGRES_IMAGE, run }, signal)
  const own = () => startLocalPostgres({ directory: join(directory, 'postgres'), durable: false, signal })
  const postgres = await startPart(place, POSTGRES_IMAGE, { inContainer, own })
  stack.defer(() => postgres.stop())
  return postgres.url
}

/** In a container if there is an engine; an image that cannot be had, or does not start, is no reason to fail. */
async function startPart<C, O>(
  { hasEngine, signal }: Place,
  image: string,
  start: { inContainer(): Promise<C>; own(): Promise<O> },
): Promise<C | O> {
  if (!hasEngine) return await start.own()
  try {
    await ensureImage(image, signal)
    return await start.inContainer()
  } catch (error) {
    const reason = (error as Error).message.split('\n')[0]
    log.warn({ reason }, `No container of ${image}: a process of our own instead`)
    return await start.own()
  }
}

const log = { info: print, warn: print }

function print(fields: object, message: string): void {
  process.stderr.write(`${message} ${JSON.stringify(fields)}\n`)
}
