import { createRemotingEngine, type RemotingEngineOptions } from '@gatehouse/powershell'
import { createPopulation, startExchangeSimulator } from '@gatehouse/simulators'
import { connectExchange, type Exchange, type ExchangeOptions } from '../src/index.ts'
import { ClientAccessServer } from './client-access-server.ts'

const HOSTS = ['127.0.0.1', '127.0.0.2', '127.0.0.3']
const SEED = 11
/** Each server of a real organisation counts its own shells; here all of them, and those of dead servers, count in one place. */
const SHELLS_MAX = 100
const IDLE_TIMEOUT_MS = 60_000
const LATENCY_MS = 20
const PORT_TRIES_MAX = 20
const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }

export type OrganizationState = {
  cmdlets: Record<string, number>
  shellsOpen: number
  orphans: number
  pipelines: number
  duplicateAdds: number
  lists: Record<string, { allowed: string[] }>
}

export type FailingServers = AsyncDisposable & {
  readonly servers: readonly [ClientAccessServer, ClientAccessServer, ClientAccessServer]
  readonly mailboxes: readonly string[]
  /** Of the connections made by `connect`. */
  clock: { now: number }
  /** Endpoint changes in their order, as `host reason`. */
  readonly changes: string[]
  reopen(server: ClientAccessServer): Promise<void>
  connect(o?: { limits?: RemotingEngineOptions['limits']; cmdletTimeoutMs?: number; shells?: number }): Promise<Exchange>
  state(): Promise<OrganizationState>
}

/** One organisation behind three client access servers on one port, the first of them the primary. */
export async function startFailingServers(signal: AbortSignal): Promise<FailingServers> {
  await using stack = new AsyncDisposableStack()
  const population = createPopulation({ devices: 60, seed: SEED })
  const organization = await startExchangeSimulator({ population, port: 0, latencyMs: LATENCY_MS, shellsMax: SHELLS_MAX })
  stack.defer(() => organization.stop())
  const servers = HOSTS.map((host) => stack.use(new ClientAccessServer(host, organization.url)))
  const [primary, second, third] = servers
  if (primary === undefined || second === undefined || third === undefined) throw new Error('There are three servers')
  const port = await openAll(servers)
  const clock = { now: 0 }
  const changes: string[] = []
  const owned = new AsyncDisposableStack()
  const base: ExchangeOptions = {
    url: `http://${primary.host}:${port}/PowerShell/`,
    user: organization.user,
    password: organization.password,
    purpose: 'write',
    shells: 4,
    idleTimeoutMs: IDLE_TIMEOUT_MS,
    cmdletTimeoutMs: 20_000,
    isCasFailoverEnabled: true,
    knownServers: () => Promise.resolve(HOSTS),
    log: { ...silent, info: (change) => changes.push(describeChange(change)) },
    now: () => clock.now,
  }
  owned.use(stack.move())
  return {
    servers: [primary, second, third],
    mailboxes: population.mailboxes.map(({ guid }) => guid),
    clock,
    changes,
    reopen: async (server) => void (await server.open(port)),
    connect: async ({ limits, cmdletTimeoutMs = base.cmdletTimeoutMs, shells = base.shells } = {}) => {
      const createEngine = (url: string) => createEngineAt(url, { ...base, shells }, limits)
      return owned.use(await connectExchange({ ...base, shells, cmdletTimeoutMs, createEngine }, signal))
    },
    state: async () => (await (await fetch(`${organization.simulatorUrl}/state`, { signal })).json()) as OrganizationState,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

function describeChange({ url, reason }: Record<string, unknown>): string {
  return `${URL.parse(String(url))?.hostname ?? String(url)} ${String(reason)}`
}

/** The engine that is used otherwise, with shorter limits: a silent server is found out in less than a second. */
function createEngineAt(url: string, o: ExchangeOptions, limits: RemotingEngineOptions['limits']) {
  const { user, password, idleTimeoutMs, shells, log } = o
  return createRemotingEngine({
    transport: { kind: 'wsman', url, configurationName: 'Microsoft.Exchange', user, password, idleTimeoutMs },
    shellsMax: shells,
    limits: { closeMs: 500, ...limits },
    log,
  })
}

/** A port that is free on every host. */
async function openAll(servers: readonly ClientAccessServer[]): Promise<number> {
  for (let tries = 1; ; tries++) {
    let port = 0
    try {
      for (const server of servers) port = await server.open(port)
      return port
    } catch (error) {
      await Promise.all(servers.map((server) => server.die()))
      if (tries === PORT_TRIES_MAX) throw error
    }
  }
}
