import { readFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { runMeasuredSync, type System, startSystem } from '@gatehouse/cli/system'
import { sql } from 'kysely'
import {
  type Bounds,
  type Check,
  checkFigures,
  checkHolds,
  type MemoryFigures,
  type QueueFigures,
  readMemoryFigures,
  readQueueFigures,
  type Sample,
} from './judge-backpressure.ts'
import { limitInboxes, type QueueReader, startQueueReader } from './queue-reader.ts'

export type BackpressureOptions = {
  readonly devices: number
  readonly latencyMs: number
  readonly inboxMax: number
  /** For so long Exchange stays slow after the inboxes are full. */
  readonly holdSeconds: number
  readonly seed: number
  readonly env: Record<string, string | undefined>
  readonly log: (line: string) => void
}

export type BackpressureReport = {
  campaign: 'backpressure'
  devices: number
  mailboxes: number
  latencyMs: number
  heldSeconds: number
  drainSeconds: number
  queues: QueueFigures[]
  memory: MemoryFigures[]
  holds: readonly string[]
  checks: Check[]
}

const RUNSPACES = 12
const UNCONFIRMED_MAX = 50
const SAMPLE_MS = 1_000
const FULL_MS = 5 * 60_000
const SYNC_MS = 60 * 60_000
const EMPTY_MS = 60_000

/** A whole system against an Exchange that takes seconds over each cmdlet, then against one that is fast again. */
export async function runBackpressure(options: BackpressureOptions, signal: AbortSignal): Promise<BackpressureReport> {
  const { log } = options
  await using system = await startSystem(
    {
      ...options,
      runspaces: RUNSPACES,
      copies: {},
      faultsFile: undefined,
      reportOnly: false,
      env: { ...options.env, GATEHOUSE_BROKER_UNCONFIRMED_MAX: String(UNCONFIRMED_MAX) },
      onWorkerEvent: (event) => log(`${event.worker}: ${event.kind}`),
    },
    signal,
  )
  await limitInboxes(system, options.inboxMax, signal)
  await using reader = await startQueueReader(system)
  const samples: Sample[] = []
  const running = runMeasuredSync(
    system,
    { syncType: 'fullSync', confirmed: true, timeoutMs: SYNC_MS, onProgress: () => {} },
    signal,
  )
  running.catch(() => {})
  log('Waiting for the inboxes of enforcement and compliance-lookup to be full')
  await fillUp(system, reader, { samples, inboxMax: options.inboxMax }, signal)

  log(`They are; Exchange stays slow for ${options.holdSeconds} s`)
  const held = await sampleFor(system, reader, options.holdSeconds, signal)
  const holds = held.at(-1)?.holds ?? []
  const startedMeanwhile = await askForMore(system)

  log('Exchange becomes fast')
  const fastAt = performance.now()
  await system.simulators.post('exchange', '/__simulator/latency', { latencyMs: 0 })
  const draining = sampleUntil(running, system, reader, signal)
  const { run } = await running
  const drained = await draining
  const drainSeconds = Math.round((performance.now() - fastAt) / 100) / 10
  const isEmpty = await waitUntilEmpty(reader, signal)

  const bounds: Bounds = {
    inboxMax: options.inboxMax,
    unconfirmedMax: UNCONFIRMED_MAX,
    mailboxes: run.counts['mailboxes'] ?? system.simulators.ready.mailboxes,
  }
  const queues = readQueueFigures([...samples, ...held, ...drained], bounds)
  const memory = readMemoryFigures(held)
  return {
    campaign: 'backpressure',
    devices: options.devices,
    mailboxes: bounds.mailboxes,
    latencyMs: options.latencyMs,
    heldSeconds: options.holdSeconds,
    drainSeconds,
    queues,
    memory,
    holds,
    checks: [
      ...checkFigures(queues, memory),
      ...checkHolds(holds, Math.floor(options.latencyMs / 1_000)),
      startedMeanwhile,
      {
        check: 'the sync ended well by itself',
        isSo: run.status === 'succeeded',
        seen: `${run.status} after ${drainSeconds} s`,
      },
      { check: 'every queue is empty in the end', isSo: isEmpty === '', seen: isEmpty || 'empty' },
      ...(await checkEnd(system)),
    ],
  }
}

async function fillUp(
  system: System,
  reader: QueueReader,
  { samples, inboxMax }: { samples: Sample[]; inboxMax: number },
  signal: AbortSignal,
): Promise<void> {
  const deadline = performance.now() + FULL_MS
  for (;;) {
    const sample = await takeSample(system, reader)
    samples.push(sample)
    const isFull = ['gh.enforcement', 'gh.compliance-lookup'].every((queue) => (sample.depths.get(queue) ?? 0) >= inboxMax)
    if (isFull) return
    if (performance.now() > deadline) throw new Error(`The inboxes were not full within ${FULL_MS} ms: too few devices`)
    await delay(SAMPLE_MS, undefined, { signal })
  }
}

async function sampleFor(system: System, reader: QueueReader, seconds: number, signal: AbortSignal): Promise<Sample[]> {
  const samples: Sample[] = []
  const end = performance.now() + seconds * 1_000
  while (performance.now() < end) {
    samples.push(await takeSample(system, reader))
    await delay(SAMPLE_MS, undefined, { signal })
  }
  return samples
}

async function sampleUntil(
  ended: Promise<unknown>,
  system: System,
  reader: QueueReader,
  signal: AbortSignal,
): Promise<Sample[]> {
  const samples: Sample[] = []
  let isOver = false
  const over = ended.then(
    () => {
      isOver = true
    },
    () => {
      isOver = true
    },
  )
  while (!isOver) {
    samples.push(await takeSample(system, reader))
    await Promise.race([over, delay(SAMPLE_MS, undefined, { signal })])
  }
  return samples
}

async function takeSample(system: System, reader: QueueReader): Promise<Sample> {
  const [depths, status, ...memory] = await Promise.all([
    reader.read(),
    system.control.get('/api/status') as Promise<{ holds: string[] }>,
    ...[...system.workers.running].map(async ([name, { pid }]) => [name, await readResidentMiB(pid)] as const),
  ])
  return { depths, holds: status.holds, memoryMiB: new Map(memory) }
}

/** 0 where the system does not tell. */
async function readResidentMiB(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')
  return Math.round(Number(/^VmRSS:\s+(\d+) kB$/m.exec(text)?.[1] ?? 0) / 1_024)
}

/** As the schedule does every few minutes: while a run is under way that does as much, no other may be opened. */
async function askForMore(system: System): Promise<Check> {
  for (const syncType of ['deltaSync', 'fullSync', 'fullSync']) await system.control.post('/api/syncs', { syncType })
  const { rows } = await sql<{ runs: number }>`select count(*)::int as runs from sync_runs`.execute(system.store.db)
  const runs = rows[0]?.runs ?? 0
  return { check: 'control opens no other sync while one is under way', isSo: runs === 1, seen: `${runs} runs` }
}

/** What is left, or nothing. */
async function waitUntilEmpty(reader: QueueReader, signal: AbortSignal): Promise<string> {
  const deadline = performance.now() + EMPTY_MS
  for (;;) {
    const left = [...(await reader.read())].filter(([, ready]) => ready > 0)
    if (left.length === 0) return ''
    if (performance.now() > deadline) return left.map(([queue, ready]) => `${queue} ${ready}`).join(', ')
    await delay(SAMPLE_MS, undefined, { signal })
  }
}

async function checkEnd(system: System): Promise<Check[]> {
  const exchange = await system.simulators.exchangeState()
  const letters = (await system.control.get('/api/deadLetters', { top: 1 })) as { total: number }
  const zero = (check: string, value: number): Check => ({ check, isSo: value === 0, seen: String(value) })
  return [
    zero('no device is in a wrong state', exchange.wrong.count),
    zero('no mail went out twice', exchange.mailsTwice.length),
    zero('no message died', letters.total),
  ]
}
