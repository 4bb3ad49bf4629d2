import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ChannelModel, connect } from 'amqplib'
import { afterAll, beforeAll, inject } from 'vitest'
import { callManagement, type ManagementAccess } from '../src/call-management.ts'
import type { BrokerConnection, BrokerLog, BrokerOptions } from '../src/index.ts'
import { applyTopology, connectBroker, SERVICE_NAMES, type ServiceName } from '../src/index.ts'
import { type LocalRabbitmq, startLocalRabbitmq } from '../src/local-rabbitmq.ts'

export { until } from '../../../test/environment/until.ts'

const SILENT: BrokerLog = { info: () => {}, warn: () => {}, error: () => {}, debug: () => {} }
const DEFAULTS = {
  connectionName: 'test',
  log: SILENT,
  unconfirmedMax: 200,
  prefetchMax: 250,
  maxAttempts: 3,
  laterAgeMsMax: 60_000,
  retry: { backoffBaseMs: 50, backoffCapMs: 200, unknownDelayMs: 250 },
}
/** Two nodes and two test files may start at once on two cores. */
export const START_TIMEOUT_MS = 180_000

/** What a test may do to a node that is its own. */
export type NodeUnderTest = Pick<LocalRabbitmq, 'amqpUrl' | 'managementUrl' | 'stop' | 'restart' | 'rabbitmqctl'>

/** Where the tests find a broker, and how they start another one of its kind, to break it. */
export type BrokerSource = {
  readonly shared: { readonly amqpUrl: string; readonly managementUrl: string } | undefined
  startNode(directory: string, signal: AbortSignal): Promise<NodeUnderTest>
}

/** A virtual host of its own with the topology applied. */
export type BrokerUnderTest = AsyncDisposable & {
  readonly signal: AbortSignal
  readonly vhost: string
  /** With the administrator's user and password. */
  readonly url: string
  /** The node, when it was started for this file alone. */
  readonly node: NodeUnderTest | undefined
  readonly admin: ManagementAccess
  /** Connects as the administrator, or as a worker's user. */
  connect(options?: Partial<BrokerOptions> & { as?: ServiceName }): Promise<BrokerConnection>
  /** Plain amqplib, as the administrator or as a worker's user. */
  raw(as?: ServiceName): Promise<ChannelModel>
  /** Ready messages of a queue, exact and immediate. */
  depth(queue: string): Promise<number>
  manage(call: { method: 'GET' | 'PUT' | 'POST' | 'DELETE'; path: string; body?: unknown }): Promise<unknown>
}

const OF_THIS_RUN: BrokerSource = {
  get shared() {
    return (inject as (key: string) => BrokerSource['shared'])('parts')
  },
  startNode: (directory, signal) => startLocalRabbitmq({ directory, log: SILENT, signal }),
}

/** Uses the node that the test run provides, else starts one. `own` always starts one, for tests that break it. */
export async function startBrokerUnderTest(options: { own?: boolean; source?: BrokerSource } = {}): Promise<BrokerUnderTest> {
  await using stack = new AsyncDisposableStack()
  const abort = new AbortController()
  stack.defer(() => abort.abort())
  const source = options.source ?? OF_THIS_RUN
  const shared = options.own === true ? undefined : source.shared
  const node = shared === undefined ? await startOwn(source, stack, abort.signal) : undefined
  const { amqpUrl, managementUrl } = shared ?? (node as NodeUnderTest)
  const url = new URL(amqpUrl)
  const vhost = `broker-${randomBytes(6).toString('hex')}`
  const admin = { managementUrl, user: decodeURIComponent(url.username), password: decodeURIComponent(url.password) }
  url.pathname = `/${vhost}`
  const nameOf = (service: ServiceName): string => `${vhost}-${service}`
  const usersPasswords = Object.fromEntries(SERVICE_NAMES.map((service) => [service, nameOf(service)]))
  const manage: BrokerUnderTest['manage'] = (call) => callManagement(admin, call, AbortSignal.timeout(30_000))
  if (node === undefined) stack.defer(() => cleanUp(manage, vhost, SERVICE_NAMES.map(nameOf)))
  await applyTopology({ ...admin, vhost, usersPasswords, userPrefix: `${vhost}-` }, abort.signal)
  const credentialsOf = (as?: ServiceName) => (as === undefined ? {} : { user: nameOf(as), password: nameOf(as) })
  const raw: BrokerUnderTest['raw'] = (as) => connectRaw(url, credentialsOf(as))
  const owned = stack.move()
  return {
    signal: abort.signal,
    vhost,
    url: url.href,
    node,
    admin,
    manage,
    raw,
    connect: ({ as, ...more } = {}) =>
      connectBroker({ ...DEFAULTS, url: url.href, ...credentialsOf(as), ...more }, abort.signal),
    depth: async (queue) => {
      const model = await raw()
      const { messageCount } = await (await model.createChannel()).checkQueue(queue)
      await model.close()
      return messageCount
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

/** For a test file: a broker from before its first test until after its last. */
export function useBroker(take: (broker: BrokerUnderTest) => void, options: { own?: boolean } = {}): void {
  let broker: BrokerUnderTest | undefined
  beforeAll(async () => {
    broker = await startBrokerUnderTest(options)
    take(broker)
  }, START_TIMEOUT_MS)
  afterAll(async () => {
    await broker?.[Symbol.asyncDispose]()
  }, START_TIMEOUT_MS)
}

/** The version of its RabbitMQ. */
export async function readVersion(broker: BrokerUnderTest): Promise<{ major: number; minor: number }> {
  const overview = (await broker.manage({ method: 'GET', path: '/api/overview' })) as { rabbitmq_version: string }
  const [major = 0, minor = 0] = overview.rabbitmq_version.split('.').map(Number)
  return { major, minor }
}

async function connectRaw(url: URL, credentials: { user?: string; password?: string }): Promise<ChannelModel> {
  const own = new URL(url)
  if (credentials.user !== undefined) own.username = credentials.user
  if (credentials.password !== undefined) own.password = credentials.password
  const model = await connect(own.href)
  model.on('error', () => {})
  return model
}

async function startOwn(source: BrokerSource, stack: AsyncDisposableStack, signal: AbortSignal): Promise<NodeUnderTest> {
  const directory = await mkdtemp(join(tmpdir(), 'gatehouse-rabbitmq-'))
  stack.defer(() => rm(directory, { recursive: true, force: true }))
  const node = await source.startNode(directory, signal)
  stack.defer(() => node.stop({ kill: true }))
  return node
}

async function cleanUp(manage: BrokerUnderTest['manage'], vhost: string, users: readonly string[]): Promise<void> {
  await manage({ method: 'DELETE', path: `/api/vhosts/${vhost}` })
  for (const user of users) await manage({ method: 'DELETE', path: `/api/users/${user}` }).catch(() => {})
}
