import { randomBytes } from 'node:crypto'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { RetryableError } from '@gatehouse/messages'
import type { BrokerLog } from './broker-options.ts'
import { describeFailedStart, PORT_TAKEN } from './describe-failed-start.ts'
import { ensureRabbitmqServer } from './ensure-rabbitmq-server.ts'
import { findFreePorts } from './find-free-ports.ts'
import { runProgram } from './run-program.ts'
import { type NodeProcess, PROGRAMS_PATH, spawnRabbitmqNode } from './spawn-rabbitmq-node.ts'
import { waitForManagement } from './wait-for-management.ts'

export type LocalRabbitmqOptions = {
  /** Holds the node's settings, log and data; created if missing. Two nodes need two folders. */
  readonly directory: string
  readonly log: Pick<BrokerLog, 'info' | 'warn'>
  readonly signal: AbortSignal
  /** The PATH to look for rabbitmq-server in. */
  readonly path?: string
}

export type LocalRabbitmq = AsyncDisposable & {
  /** With user and password, without a virtual host. */
  readonly amqpUrl: string
  readonly managementUrl: string
  readonly user: string
  readonly password: string
  readonly pid: number
  /** Ends the node and everything started with it; `kill`: at once, for a node whose data nobody needs. */
  stop(options?: { kill?: boolean }): Promise<void>
  /** Stops and starts it again on the same port with the same data; `kill`: without letting it say goodbye. */
  restart(options?: { kill?: boolean }): Promise<void>
  /** Runs `rabbitmqctl` against this node and gives back what it printed. Throws when it fails. */
  rabbitmqctl(...args: string[]): Promise<string>
}

type Ports = { amqp: number; management: number; distribution: number; epmd: number }
type Node = { ports: Ports; directory: string; user: string; password: string; program: string }

const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/opt/homebrew/sbin:/opt/homebrew/bin'
const CTL_TIMEOUT_MS = 60_000
const START_ATTEMPTS = 3
const DEAD_LETTER_CONFIRM_MS = 10_000
const START_TIMEOUT_MS = 120_000

/**
 * Starts a RabbitMQ node of one's own on free loopback ports, with the management API, and resolves once it answers.
 * @throws PermanentError `rabbitmq-unavailable`; RetryableError `rabbitmq-not-started` with the end of its log.
 */
export async function startLocalRabbitmq(options: LocalRabbitmqOptions): Promise<LocalRabbitmq> {
  const { log, signal } = options
  const program = await ensureRabbitmqServer({ log, signal, path: options.path ?? DEFAULT_PATH })
  // Erlang runs in the folder itself, where a relative path would mean something else.
  const directory = resolve(options.directory)
  const password = await keepPassword(directory)
  for (let attempt = 1; ; attempt++) {
    const [amqp, management, distribution, epmd] = (await findFreePorts(4)) as [number, number, number, number]
    const ports = { amqp, management, distribution, epmd }
    const node = { ports, directory, user: 'gatehouse', password, program }
    await writeSettings(node)
    try {
      return new RunningNode(node, await start(node, signal), options)
    } catch (error) {
      // Somebody may have taken a port between our look and the node's start.
      if (signal.aborted || attempt >= START_ATTEMPTS || !PORT_TAKEN.test(String(error))) throw error
      log.warn({ attempt, err: error }, 'RabbitMQ did not start, trying other ports')
    }
  }
}

/** RabbitMQ makes its default user when the data are new, and never again: the password must outlive the node. */
async function keepPassword(directory: string): Promise<string> {
  await mkdir(directory, { recursive: true, mode: 0o700 })
  const path = join(directory, 'password')
  const kept = await readFile(path, 'utf8').catch(() => '')
  if (kept !== '') return kept
  const created = randomBytes(18).toString('base64url')
  await writeFile(path, created, { mode: 0o600 })
  return created
}

class RunningNode implements LocalRabbitmq {
  readonly amqpUrl: string
  readonly managementUrl: string
  readonly user: string
  readonly password: string
  private readonly node: Node
  private readonly options: LocalRabbitmqOptions
  private process: NodeProcess

  constructor(node: Node, process: NodeProcess, options: LocalRabbitmqOptions) {
    this.node = node
    this.process = process
    this.options = options
    this.user = node.user
    this.password = node.password
    this.amqpUrl = `amqp://${node.user}:${node.password}@127.0.0.1:${node.ports.amqp}`
    this.managementUrl = managementUrlOf(node)
  }

  get pid(): number {
    return this.process.pid
  }

  async stop(options: { kill?: boolean } = {}): Promise<void> {
    await this.process.stop(options)
  }

  async restart(options: { kill?: boolean } = {}): Promise<void> {
    await this.process.stop(options)
    this.process = await start(this.node, this.options.signal)
  }

  async rabbitmqctl(...args: string[]): Promise<string> {
    const program = join(dirname(this.node.program), 'rabbitmqctl')
    const env = { PATH: PROGRAMS_PATH, ...environmentOf(this.node, this.node.ports) }
    const { code, output } = await runProgram(program, args, { signal: this.options.signal, timeoutMs: CTL_TIMEOUT_MS, env })
    if (code !== 0) throw new RetryableError('rabbitmqctl-failed', `rabbitmqctl ${args.join(' ')}: ${output.slice(-500)}`)
    return output
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }
}

function managementUrlOf(node: Node): string {
  return `http://127.0.0.1:${node.ports.management}`
}

async function start(node: Node, signal: AbortSignal): Promise<NodeProcess> {
  const { ports, directory, program } = node
  const spawned = spawnRabbitmqNode({ program, directory, env: environmentOf(node, ports) })
  try {
    await waitUntilReady(node, spawned, AbortSignal.any([signal, AbortSignal.timeout(START_TIMEOUT_MS)]))
    return spawned
  } catch (error) {
    await spawned.stop({ kill: true })
    signal.throwIfAborted()
    throw error
  }
}

async function waitUntilReady(node: Node, spawned: NodeProcess, signal: AbortSignal): Promise<void> {
  const { user, password, ports } = node
  const access = { managementUrl: managementUrlOf(node), user, password, amqpPort: ports.amqp }
  if (await waitForManagement(access, signal, () => spawned.hasExited)) return
  throw notStarted(await readFailure(node.directory, spawned))
}

function notStarted(said: string): RetryableError {
  return new RetryableError('rabbitmq-not-started', `RabbitMQ did not start:\n${said}`)
}

async function readFailure(directory: string, spawned: NodeProcess): Promise<string> {
  const text = await readFile(join(directory, 'rabbit.log'), 'utf8').catch(() => '')
  return describeFailedStart(`${spawned.output}\n${text}`)
}

async function writeSettings({ ports, directory, user, password }: Node): Promise<void> {
  await mkdir(join(directory, 'data'), { recursive: true, mode: 0o700 })
  const settings = [
    `listeners.tcp.1 = 127.0.0.1:${ports.amqp}`,
    'management.tcp.ip = 127.0.0.1',
    `management.tcp.port = ${ports.management}`,
    `default_user = ${user}`,
    `default_pass = ${password}`,
    'loopback_users = none',
    // Counting every message costs a good part of the node's time, and nobody looks at this node's charts.
    'management_agent.disable_metrics_collector = true',
    'collect_statistics = none',
    'log.console = false',
    'log.file.level = warning',
    // The default of 512 MiB is held in memory until it is full.
    'raft.wal_max_size_bytes = 64000000',
  ]
  await writeFile(join(directory, 'rabbitmq.conf'), `${settings.join('\n')}\n`, { mode: 0o600 })
  await writeFile(join(directory, 'enabled_plugins'), '[rabbitmq_management].\n')
  await writeFile(join(directory, 'rabbitmq-env.conf'), '')
  // What a quorum queue dead-letters while its target is still starting is sent again only after this; by default 3 minutes, for
  // which the delay ladder then stands still after a restart (rabbit.app; rabbit_fifo_dlx_worker.erl). Only Erlang terms can say it.
  const confirmTimeout = `[{rabbit, [{dead_letter_worker_publisher_confirm_timeout, ${DEAD_LETTER_CONFIRM_MS}}]}].\n`
  await writeFile(join(directory, 'advanced.config'), confirmTimeout)
}

function environmentOf({ directory }: Node, ports: Ports): Record<string, string> {
  return {
    HOME: directory,
    LANG: 'C.UTF-8',
    // The data belong to the name, so it stays when the ports change; it is only ever looked up in the epmd of this node.
    RABBITMQ_NODENAME: 'gatehouse@localhost',
    RABBITMQ_NODE_IP_ADDRESS: '127.0.0.1',
    RABBITMQ_NODE_PORT: String(ports.amqp),
    RABBITMQ_DIST_PORT: String(ports.distribution),
    ERL_EPMD_PORT: String(ports.epmd),
    ERL_EPMD_ADDRESS: '127.0.0.1',
    RABBITMQ_CONF_ENV_FILE: join(directory, 'rabbitmq-env.conf'),
    RABBITMQ_CONFIG_FILE: join(directory, 'rabbitmq.conf'),
    RABBITMQ_ADVANCED_CONFIG_FILE: join(directory, 'advanced.config'),
    RABBITMQ_ENABLED_PLUGINS_FILE: join(directory, 'enabled_plugins'),
    RABBITMQ_MNESIA_BASE: join(directory, 'data'),
    RABBITMQ_MNESIA_DIR: join(directory, 'data', 'node'),
    RABBITMQ_LOG_BASE: directory,
    RABBITMQ_LOGS: join(directory, 'rabbit.log'),
    RABBITMQ_PID_FILE: join(directory, 'rabbit.pid'),
    // The machine is shared with what is under test: no binding of schedulers to cores, no busy waiting.
    RABBITMQ_SCHEDULER_BIND_TYPE: 'u',
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS:
      '+S 2:2 +A 16 +sbwt none +sbwtdcpu none +sbwtdio none -kernel inet_dist_use_interface {127,0,0,1}',
  }
}
