import { randomUUID } from 'node:crypto'
import { mkdir, mkdtemp, open, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { applyTopology, type BrokerConnection, connectBroker, SERVICE_NAMES } from '@gatehouse/broker'
import { findFreePorts, type LocalRabbitmq, startLocalRabbitmq } from '@gatehouse/broker/local'
import { type StartedProcess, startProcess, workerArguments, workerEnvironment } from '@gatehouse/cli/system'
import { createDatabase, migrate, type Store } from '@gatehouse/store'
import { startLocalPostgres } from '@gatehouse/store/local'

const VHOST = 'gatehouse'
const TOKEN = 'token-of-the-torture'
const READY_MS = 60_000
const SILENT = { info: () => {}, warn: () => {}, error: () => {}, debug: () => {} }

/** A broker, a database and control as a process of its own; each of them may be killed. */
export class ReplaySystem implements AsyncDisposable {
  readonly node: LocalRabbitmq
  readonly store: Store
  readonly amqpUrl: string
  readonly apiUrl: string
  private readonly launch: () => Promise<StartedProcess>
  private readonly stack: AsyncDisposableStack
  private control: StartedProcess | undefined

  private constructor(
    parts: Pick<ReplaySystem, 'node' | 'store' | 'amqpUrl' | 'apiUrl'> & { launch: () => Promise<StartedProcess> },
    stack: AsyncDisposableStack,
  ) {
    this.node = parts.node
    this.store = parts.store
    this.amqpUrl = parts.amqpUrl
    this.apiUrl = parts.apiUrl
    this.launch = parts.launch
    this.stack = stack
  }

  static async start(signal: AbortSignal): Promise<ReplaySystem> {
    await using stack = new AsyncDisposableStack()
    const directory = await mkdtemp(join(tmpdir(), 'gatehouse-torture-'))
    stack.defer(() => rm(directory, { recursive: true, force: true }))
    const [node, databaseUrl] = await startParts(directory, stack, signal)
    const url = new URL(node.amqpUrl)
    url.pathname = `/${VHOST}`
    const usersPasswords = Object.fromEntries(SERVICE_NAMES.map((service) => [service, node.password]))
    await applyTopology({ ...pickAccess(node), vhost: VHOST, usersPasswords }, signal)
    const options = { url: databaseUrl, applicationName: 'torture', connectionsMax: 20, onConnectionError: () => {} }
    const store = stack.use(createDatabase(options))
    await migrate(store.db)
    const [port = 0] = await findFreePorts(1)
    const settingsPath = await writeSettings(directory, { databaseUrl, brokerUrl: url.href, port })
    const log = await open(join(directory, 'control.log'), 'a')
    stack.defer(() => log.close())
    const launch = (): Promise<StartedProcess> => {
      const args = workerArguments('control', settingsPath)
      const env = workerEnvironment(process.env)
      return startProcess({ name: 'control', arguments: args, env, log: log.fd, readyMs: READY_MS }, signal)
    }
    const parts = { node, store, amqpUrl: url.href, apiUrl: `http://127.0.0.1:${port}`, launch }
    const system = new ReplaySystem(parts, stack.move())
    system.control = await launch()
    return system
  }

  /** A connection of whoever watches. */
  async connect(connectionName: string, signal: AbortSignal): Promise<BrokerConnection> {
    const limits = { unconfirmedMax: 300, prefetchMax: 100, maxAttempts: 3, laterAgeMsMax: 60_000 }
    return await connectBroker({ url: this.amqpUrl, connectionName, log: SILENT, ...limits }, signal)
  }

  /** Kills the replayer in the middle of whatever it does, and starts it again. */
  async killControl(): Promise<void> {
    this.control?.kill()
    await this.control?.exited
    this.control = await this.launch()
  }

  /** Kills the broker in the middle of whatever it does, and starts it again with its data. */
  async killBroker(): Promise<void> {
    await this.node.restart({ kill: true })
  }

  /** Asks control's API, again and again while it is away. */
  async call(
    method: 'GET' | 'POST',
    path: string,
    body: unknown,
    signal: AbortSignal,
  ): Promise<{ status: number; body: Json }> {
    for (;;) {
      signal.throwIfAborted()
      const answer = await fetch(this.apiUrl + path, {
        method,
        headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json', connection: 'close' },
        signal,
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      }).catch(() => undefined)
      if (answer !== undefined && answer.status < 500) {
        const text = await answer.text().catch(() => '')
        if (text !== '') return { status: answer.status, body: JSON.parse(text) as Json }
      }
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.control?.stop(10_000)
    await this.stack.disposeAsync()
  }
}

// biome-ignore lint/suspicious/noExplicitAny: answers of many shapes, checked field by field where they are used
export type Json = any

async function startParts(directory: string, stack: AsyncDisposableStack, signal: AbortSignal) {
  const starting = [
    startLocalRabbitmq({ directory: join(directory, 'rabbitmq'), log: SILENT, signal, path: process.env['PATH'] ?? '' }).then(
      (node) => {
        stack.defer(() => node.stop({ kill: true }))
        return node
      },
    ),
    startLocalPostgres({ directory: join(directory, 'postgres'), durable: false, signal }).then(async (postgres) => {
      stack.defer(() => postgres.stop())
      return await postgres.createDatabase('gatehouse')
    }),
  ] as const
  await Promise.allSettled(starting)
  return await Promise.all(starting)
}

function pickAccess({ managementUrl, user, password }: LocalRabbitmq) {
  return { managementUrl, user, password }
}

async function writeSettings(
  directory: string,
  { databaseUrl, brokerUrl, port }: { databaseUrl: string; brokerUrl: string; port: number },
): Promise<string> {
  const secrets = join(directory, 'secrets')
  await mkdir(secrets, { mode: 0o700 })
  const secret = async (name: string, value: string): Promise<string> => {
    await writeFile(join(secrets, name), value, { mode: 0o600 })
    return join(secrets, name)
  }
  const unused = await secret('unused', 'unused')
  const settings = {
    database: { url: databaseUrl },
    broker: { url: brokerUrl },
    worker: { healthPort: 0 },
    graph: { tenantId: randomUUID(), clientId: randomUUID(), clientSecretFile: unused },
    policy: { includedGroups: [] },
    organizations: [
      {
        name: 'contoso',
        exchange: { url: 'https://exchange.invalid/powershell', user: 'u', passwordFile: unused },
        mail: { exchangeWebServiceURL: 'https://exchange.invalid/EWS/Exchange.asmx', user: 'u', passwordFile: unused },
      },
    ],
    schedule: { enabled: false },
    control: { port, tokenFile: await secret('token', TOKEN) },
  }
  const path = join(directory, 'gatehouse.yaml')
  // JSON is YAML.
  await writeFile(path, JSON.stringify(settings), { mode: 0o600 })
  return path
}
