import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { abortReason, RetryableError } from '@gatehouse/messages'

export const WORKER_NAMES = ['control', 'discovery', 'compliance-lookup', 'enforcement', 'notification'] as const
export type WorkerName = (typeof WORKER_NAMES)[number]

/** What a process of ours prints on standard output, as one JSON line, when it can do its work. */
export type ReadyLine = { ready: true; healthUrl?: string; url?: string; [key: string]: unknown }

export type ProcessOptions = {
  readonly name: string
  /** The script and its arguments, run by this Node. */
  readonly arguments: readonly string[]
  readonly env: Record<string, string | undefined>
  /** Where the process writes its log; a file descriptor, or `inherit` for this process's standard error. */
  readonly log: number | 'inherit'
  readonly readyMs: number
}

export type StartedProcess = {
  readonly name: string
  readonly pid: number
  readonly ready: ReadyLine
  readonly exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>
  /** Asks it to stop, waits, and kills it when it does not. */
  stop(graceMs: number): Promise<void>
  kill(): void
}

/**
 * Starts one of our own processes and waits for its ready line.
 * @throws RetryableError `process-not-ready` when it exits or says nothing within `readyMs`; its exit code is in the detail.
 */
export async function startProcess(options: ProcessOptions, signal: AbortSignal): Promise<StartedProcess> {
  const child = spawn(process.execPath, [...options.arguments], {
    stdio: ['ignore', 'pipe', options.log],
    env: options.env as NodeJS.ProcessEnv,
  })
  const exited = exitOf(child)
  const stopped = AbortSignal.any([signal, AbortSignal.timeout(options.readyMs)])
  try {
    const ready = await Promise.race([readyLineOf(child), endedEarly(options.name, exited), whenAborted(stopped)])
    return {
      name: options.name,
      pid: child.pid ?? 0,
      ready,
      exited,
      stop: (graceMs) => stop(child, exited, graceMs),
      kill: () => child.kill('SIGKILL'),
    }
  } catch (error) {
    child.kill('SIGKILL')
    await exited
    throw error
  }
}

/** The script of a worker, as arguments for Node. */
export function workerArguments(name: WorkerName, settingsPath: string): string[] {
  return [fileURLToPath(workerScriptOf(name)), '--config', settingsPath]
}

export function workerScriptOf(name: WorkerName): URL {
  return new URL(`../../../${name}/src/main.ts`, import.meta.url)
}

/**
 * The environment of a worker: what only counts when a process starts, and keeps it small. V8's young generation would grow to 48 MiB
 * of garbage; the C library would keep a heap for each of a dozen threads, and what was freed. What the environment says already counts more.
 */
export function workerEnvironment(env: Record<string, string | undefined>): Record<string, string | undefined> {
  return {
    MALLOC_ARENA_MAX: '2',
    MALLOC_TRIM_THRESHOLD_: '131072',
    ...env,
    NODE_OPTIONS: `--max-semi-space-size=2 ${env['NODE_OPTIONS'] ?? ''}`.trim(),
  }
}

function exitOf(child: ChildProcess): Promise<{ code: number | null; signal: NodeJS.Signals | null }> {
  return new Promise((resolve) => {
    child.once('error', () => resolve({ code: null, signal: null }))
    child.once('exit', (code, signal) => resolve({ code, signal }))
  })
}

/** Lines that come after the ready line are read and dropped, so that a full pipe never blocks the process. */
function readyLineOf(child: ChildProcess): Promise<ReadyLine> {
  return new Promise((resolve) => {
    if (child.stdout === null) return
    createInterface({ input: child.stdout }).on('line', (line) => {
      const parsed = parseReadyLine(line)
      if (parsed !== undefined) resolve(parsed)
    })
  })
}

function parseReadyLine(line: string): ReadyLine | undefined {
  try {
    const value: unknown = JSON.parse(line)
    return typeof value === 'object' && value !== null && 'ready' in value && value.ready === true
      ? (value as ReadyLine)
      : undefined
  } catch {
    return undefined
  }
}

async function endedEarly(name: string, exited: StartedProcess['exited']): Promise<never> {
  const { code, signal } = await exited
  throw new RetryableError(
    'process-not-ready',
    `${name} ended before it was ready (exit code ${code ?? signal ?? 'unknown'}); its log says why`,
    {
      detail: { name, exitCode: code ?? -1 },
    },
  )
}

async function whenAborted(signal: AbortSignal): Promise<never> {
  if (!signal.aborted) await once(signal, 'abort')
  throw abortReason(signal)
}

async function stop(child: ChildProcess, exited: StartedProcess['exited'], graceMs: number): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill('SIGTERM')
  const force = setTimeout(() => child.kill('SIGKILL'), graceMs)
  await exited
  clearTimeout(force)
}
