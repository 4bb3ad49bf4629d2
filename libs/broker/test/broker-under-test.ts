import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ChannelModel, connect } from 'amqplib'
import { inject } from 'vitest'
import { callManagement } from '../src/call-management.ts'
import type { BrokerConnection, BrokerLog, BrokerOptions } from '../src/index.ts'
import { applyTopology, connectBroker, SERVICE_NAMES, type ServiceName } from '../src/index.ts'
import { type LocalRabbitmq, startLocalRabbitmq } from '../src/local-rabbitmq.ts'

declare module 'vitest' {
  export interface ProvidedContext {
    /** Of a node that several test files share: with an administrator's user and password, without a virtual host. */
    amqpUrl?: string
    managementUrl?: string
  }
}

const SILENT: BrokerLog = { info: () => {}, warn: () => {}, error: () => {}, debug: () => {} }

/** A virtual host of its own with the topology applied. */
export type BrokerUnderTest = AsyncDisposable & {
  readonly signal: AbortSignal
  readonly vhost: string
  /** The node, when it was started for this file alone. */
  readonly node: LocalRabbitmq | undefined
  readonly admin: { readonly managementUrl: string; readonly user: string; readonly password: string }
  /** Connects as the administrator, or as a worker's user. */
  connect(options?: Partial<BrokerOptions> & { as?: ServiceName }): Promise<BrokerConnection>
  /** Plain amqplib, as the administrator or as a worker's user. */
  raw(as?: ServiceName): Promise<ChannelModel>
  /** Ready messages of a queue, exact and immediate. */
  depth(queue: string): Promise<number>
  manage(call: { method: 'GET' | 'PUT' | 'POST' | 'DELETE'; path: string; body?: unknown }): Promise<unknown>
}

/**
 * Uses the node that the run provides, else starts one; `own` always starts one, for tests that break it.
 */
export async function startBrokerUnderTest(options: { own?: boolean } = {}): Promise<BrokerUnderTest> {
  await using stack = new AsyncDisposableStack()
  const abort = new AbortController()
  stack.defer(() => abort.abort())
  const provided = options.own === true ? undefined : inject('amqpUrl')
  const node = provided === undefined ? await startOwn(stack, abort.signal) : undefined
  const url = new URL(node?.amqpUrl ?? provided ?? '')
  const name = `t${randomBytes(4).toString('hex')}`
  const admin = {
    managementUrl: node?.managementUrl ?? inject('managementUrl') ?? '',
    user: decodeURIComponent(url.username),
    password: decodeURIComponent(url.password),
  }
  const passwords = Object.fromEntries(SERVICE_NAMES.map((service) => [service, `${name}-${service}`]))
  const manage: BrokerUnderTest['manage'] = (call) => callManagement(admin, call, abort.signal)
  await applyTopology({ ...admin, vhost: name, usersPasswords: passwords, userPrefix: `${name}-` }, abort.signal)
  if (node === undefined)
    stack.defer(async () => {
      await callManagement(admin, { method: 'DELETE', path: `/api/vhosts/${name}` }, AbortSignal.timeout(30_000))
    })
  url.pathname = `/${name}`
  const credentialsOf = (as: ServiceName | undefined): { user?: string; password?: string } =>
    as === undefined ? {} : { user: `${name}-${as}`, password: `${name}-${as}` }
  const raw: BrokerUnderTest['raw'] = async (as) => {
    const own = new URL(url)
    const { user, password } = credentialsOf(as)
    if (user !== undefined) own.username = user
    if (password !== undefined) own.password = password
    const model = await connect(own.href)
    model.on('error', () => {})
    return model
  }
  const owned = stack.move()
  return {
    signal: abort.signal,
    vhost: name,
    node,
    admin,
    manage,
    raw,
    connect: ({ as, ...more } = {}) =>
      connectBroker({ ...DEFAULTS, url: url.href, ...credentialsOf(as), ...more }, abort.signal),
    depth: async (queue) => {
      const model = await raw()
      const channel = await model.createChannel()
      const { messageCount } = await channel.checkQueue(queue)
      await model.close()
      return messageCount
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

const DEFAULTS = {
  connectionName: 'test',
  log: SILENT,
  unconfirmedMax: 200,
  prefetchMax: 250,
  maxAttempts: 3,
  laterAgeMsMax: 60_000,
  retry: { backoffBaseMs: 50, backoffCapMs: 200, unknownDelayMs: 250 },
}

async function startOwn(stack: AsyncDisposableStack, signal: AbortSignal): Promise<LocalRabbitmq> {
  const directory = await mkdtemp(join(tmpdir(), 'gatehouse-rabbitmq-'))
  stack.defer(() => rm(directory, { recursive: true, force: true }))
  const node = await startLocalRabbitmq({ directory, log: SILENT, signal })
  stack.defer(() => node.stop({ kill: true }))
  return node
}
