import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { existsSync, openSync } from 'node:fs'
import { mkdir, readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { TestProject } from 'vitest/node'
import { runProgram } from '../run-program.ts'
import type { EngineEnvironment } from './engine-environment.ts'
import { ENGINE_FOLDER, PROJECTS_FOLDER } from './engine-folder.ts'

const ROOT = resolve(import.meta.dirname, '../../..')
const MAKE_MS = 8 * 60_000
const START_MS = 60_000
const ASK_MS = 10_000
const POLL_MS = 200
/** docker-compose.yml needs them. */
const COMPOSE_MINIMUM = [2, 24] as const
const ENGINE_MINIMUM = 25
const BASES = ['node:26-bookworm-slim', 'rabbitmq:4-management', 'postgres:18', 'prom/prometheus:v3.5.0'] as const

/** The engine that answers, else one of our own; and the base images, or what stands in for them. */
export default async function startEngine(project: TestProject): Promise<() => Promise<void>> {
  const say = (line: string): void => void process.stderr.write(`compose test: ${line}\n`)
  const answering = await findEngine({})
  if (answering !== undefined) {
    say(`engine ${answering}`)
    if (!(await hasBases())) runScript('stand-ins/make-stand-ins.sh', [await makeFolder()], {})
    project.provide('engine', { env: {}, unavailable: undefined })
    return async () => {}
  }
  const obstacle = obstacleHere()
  if (obstacle !== undefined) {
    say(`no engine: ${obstacle}`)
    project.provide('engine', { unavailable: obstacle } satisfies EngineEnvironment)
    return async () => {}
  }
  try {
    return await startOwnEngine(project, say)
  } catch (error) {
    // A machine that lets nobody mount, or reaches no archive: the tests are listed as skipped, and this says why.
    const unavailable = error instanceof Error ? error.message : String(error)
    say(`no engine: ${unavailable}`)
    project.provide('engine', { unavailable } satisfies EngineEnvironment)
    return async () => {}
  }
}

async function startOwnEngine(project: TestProject, say: (line: string) => void): Promise<() => Promise<void>> {
  const folder = await makeFolder()
  const env = { DOCKER_HOST: `unix://${join(folder, 'run', 'docker.sock')}`, DOCKER_CONFIG: join(folder, 'config') }
  const server = serve(folder)
  const stop = async (): Promise<void> => await end(server, folder)
  try {
    const version = await untilAnswers(env, server, folder)
    say(`engine ${version}, made for these tests`)
    runScript('stand-ins/make-stand-ins.sh', [folder], env)
  } catch (error) {
    await stop()
    throw error
  }
  project.provide('engine', { env, unavailable: undefined })
  return stop
}

function obstacleHere(): string | undefined {
  if (process.platform !== 'linux' || !existsSync('/etc/debian_version'))
    return 'no Docker engine answers, and one can be made on Debian only'
  if (process.getuid?.() !== 0) return 'no Docker engine answers, and only root can make one'
  return undefined
}

/** Its folder, kept for the next run. @throws Error with what the script has said. */
async function makeFolder(): Promise<string> {
  await mkdir(PROJECTS_FOLDER, { recursive: true })
  runScript('engine/make-engine.sh', [ENGINE_FOLDER], {})
  return ENGINE_FOLDER
}

function runScript(name: string, args: readonly string[], env: Record<string, string>): void {
  const path = join(import.meta.dirname, '..', name)
  const { status } = spawnSync('sh', [path, ...args], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 2, 2],
    timeout: MAKE_MS,
  })
  if (status !== 0) throw new Error(`test/compose/${name} has failed: its output is above`)
}

function serve(folder: string): ChildProcess {
  const script = join(import.meta.dirname, 'serve-engine.sh')
  // The engine sees the checkout at its own path, and the folder in which the tests keep their projects.
  const args = ['-m', '--propagation', 'private', 'sh', script, folder, ROOT, PROJECTS_FOLDER]
  const log = openSync(join(folder, 'engine.log'), 'w')
  return spawn('unshare', args, { stdio: ['ignore', log, log], detached: true })
}

async function untilAnswers(env: Record<string, string>, server: ChildProcess, folder: string): Promise<string> {
  const deadline = Date.now() + START_MS
  while (Date.now() < deadline && server.exitCode === null) {
    const version = await findEngine(env)
    if (version !== undefined) return version
    await delay(POLL_MS)
  }
  throw new Error(`The engine that was made does not answer; see ${join(folder, 'engine.log')}`)
}

/** The version of the engine that answers, with that of Compose, if both are recent enough. */
async function findEngine(env: Record<string, string>): Promise<string | undefined> {
  const options = { env: { ...process.env, ...env }, timeoutMs: ASK_MS }
  const engine = await runProgram('docker', ['version', '--format', '{{.Server.Version}}'], options)
  const compose = await runProgram('docker', ['compose', 'version', '--short'], options)
  if (engine.code !== 0 || compose.code !== 0) return undefined
  const [major = 0, minor = 0] = compose.out.split('.').map(Number)
  const [needMajor, needMinor] = COMPOSE_MINIMUM
  const isRecent = major > needMajor || (major === needMajor && minor >= needMinor)
  if (!isRecent || Number.parseInt(engine.out, 10) < ENGINE_MINIMUM) return undefined
  return `${engine.out.trim()}, Compose ${compose.out.trim()}`
}

/** They are there, or can be pulled. */
async function hasBases(): Promise<boolean> {
  const { env } = process
  for (const image of BASES) {
    if ((await runProgram('docker', ['image', 'inspect', image], { env, timeoutMs: ASK_MS })).code === 0) continue
    if ((await runProgram('docker', ['pull', '--quiet', image], { env, timeoutMs: MAKE_MS })).code !== 0) return false
  }
  return true
}

/** The engine ends its containers; everything it mounted was in a namespace of its own and goes with it. */
async function end(server: ChildProcess, folder: string): Promise<void> {
  const pid = Number(await readFile(join(folder, 'run', 'pid'), 'utf8').catch(() => ''))
  if (pid > 0) process.kill(pid, 'SIGTERM')
  const deadline = Date.now() + START_MS
  while (server.exitCode === null && server.signalCode === null && Date.now() < deadline) await delay(POLL_MS)
  if (server.exitCode === null && server.signalCode === null && server.pid !== undefined) process.kill(-server.pid, 'SIGKILL')
}
