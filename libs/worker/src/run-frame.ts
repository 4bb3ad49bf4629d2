import { parseArgs } from 'node:util'
import { PermanentError, RetryableError } from '@gatehouse/messages'
import type { Tracer } from '@gatehouse/tracing'
import type { Registry } from 'prom-client'
import { createLogger, type Logger } from './create-logger.ts'
import { createMetrics } from './create-metrics.ts'
import { delayExit } from './delay-exit.ts'
import { exitCodeOf } from './exit-code-of.ts'
import { explainFailure } from './explain-failure.ts'
import { keepHeapSmall } from './keep-heap-small.ts'
import { loadSettings } from './load-settings.ts'
import { RESTART_DELAY_SECONDS_MAX, type Settings } from './settings-schema.ts'
import { type HealthCheck, startHealthServer } from './start-health-server.ts'
import { startTracing } from './start-tracing.ts'

/** How a worker ends by itself; how one ends that cannot start says exit-code-of.ts. */
const EXIT_CODES = { fine: 0, failed: 1, settings: 2 } as const

/** Time for sockets to close after everything was let go; whatever still holds the process then is named in the log. */
const LET_GO_MS = 2_000
/** A Ctrl-C reaches us from the terminal and once more through whoever started us; within this time it is one request. */
const ECHO_MS = 300

export type Frame = {
  readonly name: string
  readonly settings: Settings
  readonly log: Logger
  readonly metrics: Registry
  readonly tracer: Tracer
  /** Aborted when the process is asked to stop: take no new work. */
  readonly signal: AbortSignal
}

/** What stands under a service: connections. Disposed after the service's own part. */
export type Parts = {
  readonly readiness: Readonly<Record<string, HealthCheck>>
  readonly liveness: Readonly<Record<string, HealthCheck>>
}

/** What a service is once it runs; `url`: where it answers, if it does. */
export type Service = AsyncDisposable & { readonly url?: string }

export type FrameOptions<P extends Parts & AsyncDisposable> = {
  name: string
  argv: string[]
  env: Record<string, string | undefined>
  /** Connects what the service needs. The signal ends after `worker.startSeconds` and when the process is asked to stop. */
  connect: (frame: Frame, signal: AbortSignal) => Promise<P>
  start: (frame: Frame, parts: P) => Promise<Service>
}

/**
 * Runs one worker process from its settings to its exit code. First SIGTERM or SIGINT: work in hand is finished and everything
 * is let go in reverse, within `worker.shutdownSeconds`. Second signal, or no time left: exit 1 at once.
 */
export async function runFrame<P extends Parts & AsyncDisposable>(options: FrameOptions<P>): Promise<void> {
  keepHeapSmall()
  const settings = readSettings(options)
  if (settings === undefined) return await endWithoutSettings(options)
  const metrics = createMetrics(options.name)
  const tracing = startTracing(options.name, settings, metrics)
  const { tracer, log } = tracing
  const stop = new AbortController()
  exitOnDefect(log)
  exitOnSignals(stop, settings.worker.shutdownSeconds * 1_000, log)
  const code = await stand({ name: options.name, settings, log, metrics, tracer, signal: stop.signal }, options)
  process.exitCode = code
  await tracing[Symbol.asyncDispose]()
  nameWhatHolds(code, log)
}

function readSettings({ name, argv, env }: Pick<FrameOptions<never>, 'name' | 'argv' | 'env'>): Settings | undefined {
  try {
    const { values } = parseArgs({ args: argv, options: { config: { type: 'string' } } })
    return loadSettings({ env, ...(values.config === undefined ? {} : { path: values.config }) })
  } catch (error) {
    const said = explainFailure(error) ?? (error instanceof Error ? error.message : String(error))
    createLogger({ name, level: 'fatal' }).fatal({ exitCode: EXIT_CODES.settings, reason: said }, 'Cannot start')
    return undefined
  }
}

/** Whoever starts it may say in the environment how long it is to wait, which needs no settings. */
async function endWithoutSettings({ name, env }: Pick<FrameOptions<never>, 'name' | 'env'>): Promise<void> {
  const said = env['GATEHOUSE_WORKER_RESTART_DELAY_SECONDS'] ?? ''
  const seconds = /^\d{1,3}$/.test(said) ? Math.min(Number(said), RESTART_DELAY_SECONDS_MAX) : 0
  const stop = new AbortController()
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => stop.abort())
  process.exitCode = EXIT_CODES.settings
  await delayExit(seconds, createLogger({ name, level: 'info' }), stop.signal)
}

async function stand<P extends Parts & AsyncDisposable>(frame: Frame, options: FrameOptions<P>): Promise<number> {
  const { settings, log, signal } = frame
  const readiness: Record<string, HealthCheck> = { worker: () => Promise.resolve('starting') }
  const liveness: Record<string, HealthCheck> = {}
  let isReady = false
  try {
    const { healthHost: host, healthPort: port } = settings.worker
    await using health = await startHealthServer({ host, port, metrics: frame.metrics, readiness, liveness })
    log.info({ healthUrl: health.url }, 'Starting')
    await using parts = await connectInTime(frame, options)
    Object.assign(readiness, parts.readiness)
    Object.assign(liveness, parts.liveness)
    await using service = await options.start(frame, parts)
    isReady = true
    readiness['worker'] = () => Promise.resolve(signal.aborted ? 'stopping' : undefined)
    log.info({ healthUrl: health.url, settings }, 'Ready')
    process.stdout.write(`${JSON.stringify(readyLineOf(frame.name, health.url, service))}\n`)
    await aborted(signal)
    log.info('Stopping: finishing the work in hand')
  } catch (error) {
    if (signal.aborted && !isReady) {
      log.info({ err: error }, 'Stopped before it was ready')
      return EXIT_CODES.fine
    }
    if (!isReady) {
      const code = tellCannotStart(error, log)
      await delayExit(settings.worker.restartDelaySeconds, log, signal)
      return code
    }
    log.fatal({ err: error }, 'Did not stop cleanly')
    return EXIT_CODES.failed
  }
  log.info('Stopped')
  return EXIT_CODES.fine
}

/** One line that says what is wrong; with a stack only for what nobody has thought of. */
function tellCannotStart(error: unknown, log: Logger): number {
  const [exitCode, said] = [exitCodeOf(error), explainFailure(error)]
  if (said === undefined) log.fatal({ err: error, exitCode }, 'Cannot start: a defect')
  else log.fatal({ code: (error as PermanentError | RetryableError).code, exitCode, reason: said }, 'Cannot start')
  return exitCode
}

/** What a service can be reached at, if anything, is part of the line. */
function readyLineOf(worker: string, healthUrl: string, service: Service): Record<string, unknown> {
  return { ready: true, worker, pid: process.pid, healthUrl, ...(service.url === undefined ? {} : { url: service.url }) }
}

async function connectInTime<P extends Parts & AsyncDisposable>(frame: Frame, options: FrameOptions<P>): Promise<P> {
  const { startSeconds } = frame.settings.worker
  const timeout = AbortSignal.timeout(startSeconds * 1_000)
  try {
    return await options.connect(frame, AbortSignal.any([frame.signal, timeout]))
  } catch (error) {
    if (frame.signal.aborted || !(error instanceof RetryableError || timeout.aborted)) throw error
    if (error instanceof PermanentError) throw error
    const reason = explainFailure(error) ?? (error instanceof Error ? error.message : String(error))
    const code = error instanceof RetryableError ? error.code : 'dependency-unreachable'
    throw new RetryableError(code, `Not reached within ${startSeconds} s: ${reason}`, { cause: error })
  }
}

function exitOnSignals(stop: AbortController, shutdownMs: number, log: Logger): void {
  let askedAt = 0
  for (const name of ['SIGTERM', 'SIGINT'] as const) {
    process.on(name, () => {
      if (stop.signal.aborted && Date.now() - askedAt < ECHO_MS) return
      if (stop.signal.aborted) {
        log.warn({ signal: name }, 'Asked twice to stop: leaving at once')
        process.exit(EXIT_CODES.failed)
      }
      askedAt = Date.now()
      setTimeout(() => {
        log.error({ shutdownMs }, 'Not stopped in time: leaving')
        process.exit(EXIT_CODES.failed)
      }, shutdownMs).unref()
      stop.abort(new Error(`Asked to stop by ${name}`))
    })
  }
}

/** A defect leaves the process in a state nobody thought of. It may be killed at any moment anyway, so it goes. */
function exitOnDefect(log: Logger): void {
  for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
    process.on(event, (error: unknown) => {
      log.fatal({ err: error, event }, 'Defect: nobody has caught an error')
      process.exit(EXIT_CODES.failed)
    })
  }
}

function nameWhatHolds(code: number, log: Logger): void {
  setTimeout(() => {
    log.warn({ resources: process.getActiveResourcesInfo() }, 'Something still holds the process after everything was let go')
    process.exit(code)
  }, LET_GO_MS).unref()
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return
  const { promise, resolve } = Promise.withResolvers<void>()
  signal.addEventListener('abort', () => resolve(), { once: true })
  // A signal handler alone does not keep a process: without this it would end when a service holds nothing open.
  const keep = setInterval(() => {}, 2 ** 30)
  await promise
  clearInterval(keep)
}
