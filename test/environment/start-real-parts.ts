import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { chooseBroker } from '@gatehouse/broker/local'
import { startLocalPostgres } from '@gatehouse/store/local'
import type { TestProject } from 'vitest/node'
import { buildPowerShellHost } from './powershell-host.ts'
import type {} from './provided-parts.ts'

/** Apt may have to fetch RabbitMQ first. */
const START_MS = 12 * 60_000

/** Starts the real parts once for all test files of a run and ends them after the last. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const signal = AbortSignal.timeout(START_MS)
  const directory = await mkdtemp(join(tmpdir(), 'gatehouse-test-'))
  await using stack = new AsyncDisposableStack()
  stack.defer(() => rm(directory, { recursive: true, force: true }))
  // Here and not only where it is needed, so that test files that run at once do not each build it.
  const building = buildPowerShellHost()
  const starting = [startBroker(directory, stack, signal), startDatabase(directory, stack, signal), building] as const
  await Promise.allSettled(starting)
  const [broker, databaseUrl] = await Promise.all(starting)
  project.provide('parts', { ...broker, databaseUrl })
  const owned = stack.move()
  return () => owned.disposeAsync()
}

async function startBroker(directory: string, stack: AsyncDisposableStack, signal: AbortSignal) {
  const log = (fields: object, message: string): void => {
    process.stderr.write(`${message} ${JSON.stringify(fields)}\n`)
  }
  const options = { env: process.env, directory: join(directory, 'rabbitmq'), log: { info: log, warn: log }, signal }
  const broker = await chooseBroker(options)
  stack.defer(() => broker.stop())
  const { amqpUrl, managementUrl, user, password } = broker
  return { amqpUrl, managementUrl, brokerUser: user, brokerPassword: password }
}

async function startDatabase(directory: string, stack: AsyncDisposableStack, signal: AbortSignal): Promise<string> {
  const given = process.env['GATEHOUSE_DATABASE_URL']
  if (given !== undefined && given !== '') return given
  const postgres = await startLocalPostgres({ directory: join(directory, 'postgres'), durable: false, signal })
  stack.defer(() => postgres.stop())
  return postgres.url
}
