import { randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { WORKER_NAMES } from '@gatehouse/cli/system'
import { createPopulation, type Population } from '@gatehouse/simulators'
import { Agent, request } from 'undici'
import { inject } from 'vitest'
import type {} from './engine/engine-environment.ts'
import { PROJECTS_FOLDER } from './engine/engine-folder.ts'
import { type Ended, runProgram } from './run-program.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const SEED = 7
const COMMAND_MS = 60_000
const UP_MS = 300_000
const DOWN_MS = 180_000
const POLL_MS = 250
const RUN_POLL_MS = 1_000

export type Container = { ID: string; Service: string; State: string }

/** The part of the simulated Exchange's state that is judged here. */
export type ExchangeState = {
  wrong: { count: number; samples: unknown[] }
  mailCount: number
  mailsTwice: unknown[]
  writes: number
  writesLeast: number
  duplicateAdds: number
  mostShells: number
}

export type SyncRun = { id: string; status: string; startedAt: string; finishedAt: string }

export type ProjectOptions = { devices: number; latencyMs: number }

/** One compose project of this checkout's docker-compose.yml, with files, volumes and a port of its own. Disposing removes it all. */
export class ComposeProject implements AsyncDisposable {
  readonly directory: string
  private readonly name = `gatehouse-test-${randomBytes(3).toString('hex')}`
  private readonly env: Record<string, string | undefined>
  private readonly agent: Agent
  private readonly population: Population

  private constructor(parts: {
    directory: string
    env: Record<string, string | undefined>
    agent: Agent
    population: Population
  }) {
    this.directory = parts.directory
    this.env = parts.env
    this.agent = parts.agent
    this.population = parts.population
  }

  /** Writes the files of a demo with `gatehouse init` and builds the image. Nothing runs yet. */
  static async create(options: ProjectOptions): Promise<ComposeProject> {
    const engine = inject('engine')
    if (engine.unavailable !== undefined) throw new Error(engine.unavailable)
    await mkdir(PROJECTS_FOLDER, { recursive: true })
    const directory = await mkdtemp(join(PROJECTS_FOLDER, 'project-'))
    const env = { ...process.env, ...engine.env }
    const sizes = ['--devices', String(options.devices), '--latency-ms', String(options.latencyMs), '--seed', String(SEED)]
    await runGatehouse(['init', '--demo', '--directory', directory, ...sizes])
    const file = join(directory, '.env')
    const lines = ['GATEHOUSE_API_PORT=0', 'PROMETHEUS_PORT=0', `GATEHOUSE_NPM_REGISTRY=${await findRegistry()}`]
    const text = (await readFile(file, 'utf8')).replace('GATEHOUSE_FILES=.', `GATEHOUSE_FILES=${directory}`)
    await writeFile(file, `${text}${lines.join('\n')}\n`)
    const ca = await readFile(join(directory, 'certificates', 'simulators.pem'), 'utf8')
    const agent = new Agent({ connect: { ca, servername: 'simulators' } })
    const population = createPopulation({ devices: options.devices, seed: SEED })
    const project = new ComposeProject({ directory, env, agent, population })
    await project.must(['build', '--quiet'], UP_MS)
    return project
  }

  /** `docker compose <args>`, whatever it answers. */
  run(args: readonly string[], timeoutMs = COMMAND_MS, env: Record<string, string> = {}): Promise<Ended> {
    const files = ['-f', join(ROOT, 'docker-compose.yml'), '-f', join(ROOT, 'test/compose/simulator-ports.yaml')]
    const own = ['compose', '-p', this.name, '--env-file', join(this.directory, '.env'), ...files]
    return runProgram('docker', [...own, ...args], { env: { ...this.env, ...env }, timeoutMs, cwd: ROOT })
  }

  /** @throws Error with what it said, when it fails. */
  async must(args: readonly string[], timeoutMs = COMMAND_MS): Promise<string> {
    const ended = await this.run(args, timeoutMs)
    if (ended.code === 0) return ended.out
    throw new Error(
      `docker compose ${args.join(' ')}: exit code ${ended.code}\n${ended.err.slice(-3_000)}\n${ended.out.slice(-1_000)}`,
    )
  }

  /** `docker <args>`. */
  async docker(...args: string[]): Promise<string> {
    const ended = await runProgram('docker', args, { env: this.env, timeoutMs: COMMAND_MS })
    if (ended.code !== 0) throw new Error(`docker ${args.join(' ')}: ${ended.err}`)
    return ended.out
  }

  /** Every service that is named, or all of the profile, is up and healthy when it returns. */
  async up(...args: string[]): Promise<void> {
    try {
      await this.must(['up', '-d', '--wait', ...args], UP_MS)
    } catch (error) {
      const logs = await this.run(['logs', '--tail', '15'])
      throw new Error(`${String(error)}\n${logs.out.slice(-6_000)}`, { cause: error })
    }
  }

  /** The system without its demo: whoever tests starts the syncs. */
  async upWithoutDemo(...args: string[]): Promise<void> {
    await this.up(...args, 'simulators', ...WORKER_NAMES)
  }

  async containers(): Promise<Container[]> {
    const lines = (await this.must(['ps', '--all', '--format', 'json'])).split('\n').filter((line) => line !== '')
    return lines.map((line) => JSON.parse(line) as Container)
  }

  /** `gatehouse <args> --json` in the container of control. */
  async gatehouse(...args: string[]): Promise<unknown> {
    return JSON.parse(await this.must(['exec', '-T', 'control', 'gatehouse', ...args, '--json'], UP_MS))
  }

  async countDeadLetters(): Promise<number> {
    return ((await this.gatehouse('dead-letters', 'list')) as { total: number }).total
  }

  /** What a statement answers, run as the database's superuser. */
  async psql(statement: string): Promise<string> {
    const psql = ['psql', '-v', 'ON_ERROR_STOP=1', '-qAt', 'gatehouse', '-c', statement]
    return await this.must(['exec', '-T', '-u', 'postgres', 'postgres', ...psql])
  }

  /** Starts a full sync, confirmed in advance. @returns the id of its run. */
  async startSync(): Promise<string> {
    const { value } = (await this.gatehouse('sync', 'full', '--confirmed')) as { value: { syncRunId: string }[] }
    if (value[0] === undefined) throw new Error('Control knows no connector')
    return value[0].syncRunId
  }

  /** The run, once it has ended. Control may be away meanwhile. */
  async untilEnded(syncRunId: string, signal: AbortSignal): Promise<SyncRun> {
    for (;;) {
      const ended = await this.run(['exec', '-T', 'control', 'gatehouse', 'status', '--json'])
      const { syncRuns } = (ended.code === 0 ? JSON.parse(ended.out) : { syncRuns: [] }) as { syncRuns: SyncRun[] }
      const run = syncRuns.find(({ id }) => id === syncRunId)
      if (run !== undefined && run.status !== 'running') return run
      await delay(RUN_POLL_MS, undefined, { signal })
    }
  }

  /** Deletes secrets and lets `gatehouse init` make them anew, with everything that holds them. */
  async renewSecrets(files: readonly string[]): Promise<void> {
    for (const file of files) await rm(join(this.directory, 'secrets', file))
    await runGatehouse(['init', '--demo', '--directory', this.directory])
  }

  async exchangeState(): Promise<ExchangeState> {
    return (await this.simulator('8443', 'GET', '/__simulator/state?brief')) as ExchangeState
  }

  /** What a restored backup of Exchange would do: every mailbox has again the lists it had before Gatehouse knew it. */
  async restoreLists(): Promise<void> {
    const changes = this.population.mailboxes.map((mailbox) => ({
      action: 'set-lists',
      mailbox: mailbox.guid,
      allowed: mailbox.initialAllowedDeviceIds,
      blocked: mailbox.initialBlockedDeviceIds,
    }))
    await this.simulator('8443', 'POST', '/__simulator/population-change', changes)
  }

  /** What every cmdlet takes from now on. */
  async setLatency(latencyMs: number): Promise<void> {
    await this.simulator('8443', 'POST', '/__simulator/latency', { latencyMs })
  }

  async simulator(port: '8443' | '8444', method: 'GET' | 'POST', path: string, body?: unknown): Promise<unknown> {
    const published = (await this.must(['port', 'simulators', port])).trim()
    const answer = await request(`https://${published}${path}`, {
      method,
      dispatcher: this.agent,
      ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    })
    return await answer.body.json()
  }

  /** Resolves once Exchange has carried out this many writes. */
  async untilWritten(count: number, signal: AbortSignal): Promise<void> {
    while ((await this.exchangeState()).writes < count) await delay(POLL_MS, undefined, { signal })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.agent.close()
    await this.run(['--profile', '*', 'down', '--volumes', '--remove-orphans', '--timeout', '5'], DOWN_MS)
    await rm(this.directory, { recursive: true, force: true })
  }
}

async function runGatehouse(args: readonly string[]): Promise<void> {
  const main = join(ROOT, 'services/cli/src/main.ts')
  const ended = await runProgram(process.execPath, [main, ...args], { env: process.env, timeoutMs: COMMAND_MS })
  if (ended.code !== 0) throw new Error(`gatehouse ${args.join(' ')}: ${ended.err}`)
}

/** Where this machine's npm gets its packages: a build in a container knows nothing of that. */
async function findRegistry(): Promise<string> {
  const ended = await runProgram('npm', ['config', 'get', 'registry'], { env: process.env, timeoutMs: COMMAND_MS, cwd: ROOT })
  return ended.code === 0 ? ended.out.trim() : ''
}
