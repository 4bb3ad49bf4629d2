import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findDockerEngine, runProgram } from '@gatehouse/broker/local'
import type { TestProject } from 'vitest/node'
import { callManagement } from '../../libs/broker/src/call-management.ts'
import { findRabbitmqServer } from '../../libs/broker/src/ensure-rabbitmq-server.ts'
import { parseTestBrokers, type TestBroker } from './parse-test-brokers.ts'
import type { BrokerTarget } from './provided-parts.ts'
import { RABBITMQ_4_FOLDER } from './rabbitmq-4-folder.ts'
import { startTestNode } from './start-test-node.ts'
import { createRunLabel, ensureImage, RABBITMQ_IMAGE, removeContainers } from './test-containers.ts'

/** Apt, or Docker, may have to fetch RabbitMQ first. */
const START_MS = 12 * 60_000
const ASK_MS = 10_000
const INSTALLED_4 = join(RABBITMQ_4_FOLDER, 'bin')

/** Starts every broker of the conformance suite once for all its files and ends them after the last. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const signal = AbortSignal.timeout(START_MS)
  const directory = await mkdtemp(join(tmpdir(), 'gatehouse-brokers-'))
  const run = createRunLabel()
  await using stack = new AsyncDisposableStack()
  stack.defer(() => rm(directory, { recursive: true, force: true }))
  const chosen = await chooseTestBrokers(signal)
  if (chosen.some((one) => one.kind === 'image')) stack.defer(() => removeContainers(run))
  const starting = chosen.map((one, index) => start(one, { directory: join(directory, String(index)), run, stack, signal }))
  await Promise.allSettled(starting)
  project.provide('brokers', await Promise.all(starting))
  const owned = stack.move()
  return () => owned.disposeAsync()
}

type Chosen = TestBroker | { name: string; kind: 'none'; reason: string }

/** Those of GATEHOUSE_TEST_BROKERS; else the one that this machine's other tests would use, 3.10 on Debian, and RabbitMQ 4. */
async function chooseTestBrokers(signal: AbortSignal): Promise<Chosen[]> {
  const named = process.env['GATEHOUSE_TEST_BROKERS']
  if (named !== undefined && named !== '') return parseTestBrokers(named)
  const url = process.env['GATEHOUSE_AMQP_URL']
  if (url !== undefined && url !== '') {
    const management = process.env['GATEHOUSE_RABBITMQ_MANAGEMENT_URL']
    return parseTestBrokers(`GATEHOUSE_AMQP_URL=${url}${management ? `;management=${management}` : ''}`)
  }
  const ofMachine: Chosen = { name: "this machine's RabbitMQ", kind: 'programs', folder: undefined }
  return [ofMachine, await chooseRabbitmq4(signal)]
}

async function chooseRabbitmq4(signal: AbortSignal): Promise<Chosen> {
  const name = 'RabbitMQ 4'
  if (findRabbitmqServer(INSTALLED_4)?.startsWith(INSTALLED_4)) return { name, kind: 'programs', folder: INSTALLED_4 }
  if (await findDockerEngine(runProgram, signal)) return { name, kind: 'image', image: RABBITMQ_IMAGE }
  return { name, kind: 'none', reason: 'no Docker engine answers, and test/environment/install-rabbitmq-4.ts was not run' }
}

type Place = { directory: string; run: string; stack: AsyncDisposableStack; signal: AbortSignal }

async function start(chosen: Chosen, place: Place): Promise<BrokerTarget> {
  try {
    if (chosen.kind === 'none') throw new Error(chosen.reason)
    if (chosen.kind === 'url') return await describe(chosen, undefined, place.signal)
    const nodes =
      chosen.kind === 'image'
        ? { kind: chosen.kind, image: chosen.image, run: place.run }
        : { kind: chosen.kind, folder: chosen.folder }
    if (nodes.kind === 'image') await ensureImage(nodes.image, place.signal)
    const node = await startTestNode(nodes, place.directory, place.signal)
    place.stack.defer(() => node.stop())
    return await describe({ ...node, name: chosen.name }, nodes, place.signal)
  } catch (error) {
    const unavailable = (error as Error).message.split('\n')[0] ?? ''
    return { name: chosen.name, unavailable, amqpUrl: '', managementUrl: '', nodes: undefined }
  }
}

async function describe(
  broker: { name: string; amqpUrl: string; managementUrl: string },
  nodes: BrokerTarget['nodes'],
  signal: AbortSignal,
): Promise<BrokerTarget> {
  const { amqpUrl, managementUrl } = broker
  const { username, password } = new URL(amqpUrl)
  const access = {
    managementUrl,
    user: decodeURIComponent(username || 'guest'),
    password: decodeURIComponent(password || 'guest'),
  }
  const bound = AbortSignal.any([signal, AbortSignal.timeout(ASK_MS)])
  const overview = (await callManagement(access, { method: 'GET', path: '/api/overview' }, bound)) as {
    rabbitmq_version: string
  }
  const name =
    nodes === undefined ? `${broker.name}, RabbitMQ ${overview.rabbitmq_version}` : `RabbitMQ ${overview.rabbitmq_version}`
  return { name, unavailable: undefined, amqpUrl, managementUrl, nodes }
}
