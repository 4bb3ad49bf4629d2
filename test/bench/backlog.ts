/**
 * Usage: node test/bench/backlog.ts [--json] [--small 5000] [--large 500000] [--seconds 20] [--devices 2000] [--worker <name>]
 *
 * How much memory a worker holds while its inbox holds few or very many messages: each worker with bulk work, as a process of
 * its own, handles real messages of a real organisation for some seconds, while its inbox is kept at that length. Then each
 * worker with nothing to do.
 */
import { cpus } from 'node:os'
import { parseArgs } from 'node:util'
import { runMeasuredSync, type System, startSystem, WORKER_NAMES } from '@gatehouse/cli/system'
import { type Backlog, type BulkWorker, createBacklog } from './backlog/create-backlog.ts'
import { type MeasuredWorker, measureWorker } from './backlog/measure-worker.ts'

const BUDGETS = { memoryMiB: 150, differencePercent: 10, idleMiB: 100 }
const RUN_MS = 30 * 60_000
const IDLE_SECONDS = 5
const signal = AbortSignal.timeout(RUN_MS)
const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    small: { type: 'string', default: '5000' },
    large: { type: 'string', default: '500000' },
    seconds: { type: 'string', default: '20' },
    devices: { type: 'string', default: '2000' },
    worker: { type: 'string' },
  },
})
const sizes = { small: Number(values.small), large: Number(values.large) }
/** Compliance-lookup last: what it decides makes the messages that enforcement got stale. */
const BULK_WORKERS: readonly BulkWorker[] = ['notification', 'enforcement', 'compliance-lookup']
const chosen = BULK_WORKERS.filter((name) => values.worker === undefined || values.worker === name)
const note = (text: string): void => {
  process.stderr.write(`${text}\n`)
}

type Measured = { small: MeasuredWorker; large: MeasuredWorker }

await using system = await startMeasuredSystem()
await using backlog = await createBacklog(system, signal)
const workers: Partial<Record<BulkWorker, Measured>> = {}
for (const name of chosen) {
  const small = await measure(name, backlog, sizes.small)
  workers[name] = { small, large: await measure(name, backlog, sizes.large) }
}
const idleMiB: Record<string, number> = {}
await backlog.empty()
for (const name of WORKER_NAMES) {
  const { residentMiB } = await measureWorker(system, { name, seconds: IDLE_SECONDS }, signal)
  idleMiB[name] = residentMiB
}
const report = {
  bench: 'backlog',
  machine: `${cpus()[0]?.model ?? 'unknown'} × ${cpus().length}`,
  node: process.version,
  messages: sizes,
  seconds: Number(values.seconds),
  memoryMiB: { small: most('small'), large: most('large') },
  differencePercent: Math.round(Math.max(...Object.values(workers).map(differenceOf)) * 10) / 10,
  workers,
  idleMiB,
  budgets: BUDGETS,
}
if (values.json) process.stdout.write(`${JSON.stringify(report)}\n`)
else print()
if (Math.max(...Object.values(report.memoryMiB)) > BUDGETS.memoryMiB || report.differencePercent >= BUDGETS.differencePercent)
  process.exitCode = 1

/** A system that has been through a full sync, whose workers are stopped: simulators, broker and database go on. */
async function startMeasuredSystem(): Promise<System> {
  await using stack = new AsyncDisposableStack()
  const started = stack.use(
    await startSystem(
      {
        devices: Number(values.devices),
        latencyMs: 5,
        seed: 7,
        runspaces: 12,
        copies: {},
        faultsFile: undefined,
        reportOnly: false,
        env: process.env,
        log: note,
        onWorkerEvent: () => {},
      },
      signal,
    ),
  )
  const sync = { syncType: 'fullSync', confirmed: true, timeoutMs: RUN_MS, onProgress: () => {} } as const
  const { run } = await runMeasuredSync(started, sync, signal)
  if (run.status !== 'succeeded') throw new Error(`The sync ended as ${run.status}`)
  await started.workers[Symbol.asyncDispose]()
  stack.move()
  return started
}

/** What the worker has handled is put in again, so that the inbox stays as long. */
async function measure(name: BulkWorker, from: Backlog, length: number): Promise<MeasuredWorker> {
  await from.fill(name, length)
  const onHandled = (count: number) => from.publish(name, count)
  const measured = await measureWorker(system, { name, seconds: Number(values.seconds), onHandled }, signal)
  note(`${name} with ${length} waiting: at most ${measured.mostMiB} MiB, ${measured.handled} handled`)
  return measured
}

function most(size: 'small' | 'large'): number {
  return Math.max(...Object.values(workers).map((measured) => measured[size].mostMiB))
}

function differenceOf({ small, large }: Measured): number {
  return (100 * (large.mostMiB - small.mostMiB)) / small.mostMiB
}

function print(): void {
  console.table(
    Object.fromEntries(
      Object.entries(workers).map(([name, measured]) => [
        name,
        {
          [`MiB with ${sizes.small}`]: measured.small.mostMiB,
          [`MiB with ${sizes.large}`]: measured.large.mostMiB,
          'difference %': Math.round(differenceOf(measured) * 10) / 10,
          'handled meanwhile': `${measured.small.handled}, ${measured.large.handled}`,
        },
      ]),
    ),
  )
  const { memoryMiB, differencePercent } = report
  console.log(
    `most: ${memoryMiB.small} and ${memoryMiB.large} MiB (budget ≤ ${BUDGETS.memoryMiB}), difference at most ${differencePercent} % (budget < ${BUDGETS.differencePercent})`,
  )
  const idle = Object.entries(idleMiB).map(([name, mebibytes]) => `${name} ${mebibytes}`)
  console.log(`idle: ${idle.join(', ')} MiB (budget ≤ ${BUDGETS.idleMiB})`)
  console.log(`Node ${report.node}, ${report.machine}`)
}
