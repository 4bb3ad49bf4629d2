import { runMeasuredSync, startSystem, WORKER_NAMES, type WorkerName } from '@gatehouse/cli/system'
import { readProcessUsage } from '../../environment/process-usage.ts'
import { round } from './measure-copies.ts'

/** A first full sync of one organisation from its command to its last write. */
export type MeasuredSync = {
  readonly scaled: string
  readonly copies: number
  readonly writes: number
  readonly seconds: number
  /** What the writes take when no runspace is ever without work. */
  readonly idealSeconds: number
  readonly mostShells: number
  /** Of all workers together. */
  readonly cpuSecondsPer1000: number
}

const RUNSPACES = 12

/** `scaled`: the worker that has so many copies, or all of them. */
export async function measureSync(
  o: {
    scaled: WorkerName | 'all'
    copies: number
    devices: number
    latencyMs: number
    timeoutMs: number
    log: (line: string) => void
  },
  signal: AbortSignal,
): Promise<MeasuredSync> {
  const names = o.scaled === 'all' ? WORKER_NAMES : [o.scaled]
  await using system = await startSystem(
    {
      devices: o.devices,
      latencyMs: o.latencyMs,
      seed: 7,
      runspaces: RUNSPACES,
      copies: Object.fromEntries(names.map((name) => [name, o.copies])),
      faultsFile: undefined,
      reportOnly: false,
      env: process.env,
      log: o.log,
      onWorkerEvent: () => {},
    },
    signal,
  )
  const cpu = async () => {
    const usage = await Promise.all([...system.workers.running.values()].map(({ pid }) => readProcessUsage(pid)))
    return usage.reduce((sum, one) => sum + (one?.cpuSeconds ?? 0), 0)
  }
  const before = await cpu()
  const options = { syncType: 'fullSync', confirmed: true, timeoutMs: o.timeoutMs, onProgress: () => {} } as const
  const { run, writes, seconds } = await runMeasuredSync(system, options, signal)
  if (run.status !== 'succeeded') throw new Error(`The sync ended as ${run.status}`)
  const cpuSeconds = (await cpu()) - before
  const { mostShells } = await system.simulators.exchangeState()
  return {
    scaled: o.scaled,
    copies: o.copies,
    writes,
    seconds: round(seconds, 10),
    idealSeconds: round((writes * o.latencyMs) / 1_000 / RUNSPACES, 10),
    mostShells,
    cpuSecondsPer1000: round((cpuSeconds * 1_000) / writes, 100),
  }
}
