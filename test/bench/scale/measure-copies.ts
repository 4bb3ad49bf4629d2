import { setTimeout as wait } from 'node:timers/promises'
import { type StartedProcess, startProcess, type WorkerName, workerArguments, workerEnvironment } from '@gatehouse/cli/system'
import type { Fleet } from '../../campaign/many-organizations/start-fleet.ts'
import { readProcessUsage } from '../../environment/process-usage.ts'
import { sumSamples } from '../../environment/sum-samples.ts'

/** So many copies of one worker, with nothing else in their way. */
export type MeasuredCopies = {
  readonly copies: number
  readonly messages: number
  readonly seconds: number
  readonly perSecond: number
  /** Of all copies together: what an operator can calculate with, whatever the machine. */
  readonly cpuSecondsPer1000: number
  readonly peakMiB: number
}

const READY_MS = 60_000
const STOP_MS = 60_000
const POLL_MS = 100
/** Opening shells and warming up is left out at the beginning, waiting for the last ones at the end. */
const FROM = 0.1
const TO = 0.95

/** Starts so many copies of one worker; disposing stops them. */
export async function startCopies(fleet: Fleet, name: WorkerName, copies: number, signal: AbortSignal) {
  await using stack = new AsyncDisposableStack()
  const env = { ...workerEnvironment(fleet.env), GATEHOUSE_WORKER_HEALTH_PORT: '0', GATEHOUSE_WORKER_LOG_LEVEL: 'error' }
  const starting = Array.from({ length: copies }, async (): Promise<StartedProcess> => {
    const started = await startProcess(
      { name, arguments: workerArguments(name, fleet.settingsPath), env, log: 'inherit', readyMs: READY_MS },
      signal,
    )
    stack.defer(() => started.stop(STOP_MS))
    return started
  })
  await Promise.allSettled(starting)
  const processes = await Promise.all(starting)
  const owned = stack.move()
  return { processes, [Symbol.asyncDispose]: () => owned.disposeAsync() }
}

type Sample = { readonly atMs: number; readonly handled: number; readonly cpuSeconds: number; readonly peakMiB: number }

/** Lets copies work off what is in their inbox: `total` messages; measured between the first tenth and the last twentieth. */
export async function measureCopies(
  fleet: Fleet,
  o: { name: WorkerName; copies: number; total: number; timeoutMs: number },
  signal: AbortSignal,
): Promise<MeasuredCopies> {
  await using started = await startCopies(fleet, o.name, o.copies, signal)
  const samples: Sample[] = []
  const deadline = performance.now() + o.timeoutMs
  for (;;) {
    const sample = await takeSample(started.processes)
    samples.push(sample)
    if (sample.handled >= o.total * TO) break
    if (performance.now() > deadline)
      throw new Error(`${o.name}: ${sample.handled} of ${o.total} messages in ${o.timeoutMs} ms`)
    await wait(POLL_MS, undefined, { signal })
  }
  const last = samples.at(-1) as Sample
  const first = samples.find((sample) => sample.handled >= o.total * FROM) ?? last
  const seconds = (last.atMs - first.atMs) / 1_000
  const messages = last.handled - first.handled
  return {
    copies: o.copies,
    messages,
    seconds: round(seconds, 10),
    perSecond: Math.round(messages / seconds),
    cpuSecondsPer1000: round(((last.cpuSeconds - first.cpuSeconds) * 1_000) / messages, 100),
    peakMiB: last.peakMiB,
  }
}

async function takeSample(processes: readonly StartedProcess[]): Promise<Sample> {
  const read = await Promise.all(
    processes.map(async ({ pid, ready }) => {
      const [handled, usage] = await Promise.all([readHandled(ready.healthUrl ?? ''), readProcessUsage(pid)])
      return { handled, cpuSeconds: usage?.cpuSeconds ?? 0, peakMiB: usage?.peakMiB ?? 0 }
    }),
  )
  const sum = (of: (one: (typeof read)[number]) => number) => read.reduce((total, one) => total + of(one), 0)
  return {
    atMs: performance.now(),
    handled: sum((one) => one.handled),
    cpuSeconds: sum((one) => one.cpuSeconds),
    peakMiB: Math.max(...read.map((one) => one.peakMiB)),
  }
}

/** Messages that are through: one that only waits for something is handled again. */
async function readHandled(healthUrl: string): Promise<number> {
  const text = await (await fetch(`${healthUrl}/metrics`)).text()
  return sumSamples(text, /^gatehouse_messages_handled_total\{.*outcome="done".*\} (\d+)$/gm)
}

export function round(value: number, by: number): number {
  return Math.round(value * by) / by
}
