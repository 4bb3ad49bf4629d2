/**
 * Usage: node test/bench/scale.ts [--short] [--json] [--copies 1,2,4] [--devices 6000] [--organizations 12] [--worker <name>]
 *   [--sync-devices 5000] [--sync-latency-ms 100] [--no-sync]
 *
 * What copies of a worker do: each worker alone, 1, 2 and 4 of it, works off its own work with nothing else in its way (12
 * organisations, an Exchange that takes 2 ms a cmdlet); then a whole first sync of one organisation, with copies of one worker and of all.
 */
import { cpus } from 'node:os'
import { parseArgs } from 'node:util'
import { WORKER_NAMES, type WorkerName } from '@gatehouse/cli/system'
import { startFleet } from '../campaign/many-organizations/start-fleet.ts'
import { createStopSignal } from '../environment/stop-signal.ts'
import { type MailboxWorker, openInboxes } from './scale/fill-inbox.ts'
import { fullSync } from './scale/full-sync.ts'
import { type MeasuredCopies, measureCopies } from './scale/measure-copies.ts'
import { measureDiscovery } from './scale/measure-discovery.ts'
import { type MeasuredSync, measureSync } from './scale/measure-sync.ts'

const RUN_MS = 60 * 60_000
const TIMEOUT_MS = 10 * 60_000
const LATENCY_MS = 2
const signal = AbortSignal.any([createStopSignal(), AbortSignal.timeout(RUN_MS)])
const { values } = parseArgs({
  options: {
    short: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    copies: { type: 'string', default: '1,2,4' },
    organizations: { type: 'string', default: '12' },
    devices: { type: 'string' },
    worker: { type: 'string' },
    'sync-devices': { type: 'string' },
    'sync-latency-ms': { type: 'string', default: '100' },
    'no-sync': { type: 'boolean', default: false },
  },
})
const organizations = Number(values.organizations)
const devices = Number(values.devices ?? (values.short ? 1_200 : 6_000))
const syncDevices = Number(values['sync-devices'] ?? (values.short ? 600 : 5_000))
const copies = values.copies.split(',').map(Number)
const note = (text: string): void => {
  process.stderr.write(`${text}\n`)
}
const isChosen = (name: WorkerName): boolean => values.worker === undefined || values.worker === name

type Row = MeasuredCopies & { readonly worker: string }

const alone = await measureAlone()
const syncs = values['no-sync'] ? [] : await measureSyncs()
const report = {
  bench: 'scale',
  machine: { cpu: cpus()[0]?.model, cores: cpus().length, node: process.version },
  organizations,
  devices,
  latencyMs: LATENCY_MS,
  alone,
  sync: { devices: syncDevices, latencyMs: Number(values['sync-latency-ms']), runs: syncs },
}
if (values.json) process.stdout.write(`${JSON.stringify(report)}\n`)
else {
  console.log(`${report.machine.cpu}, ${report.machine.cores} cores, Node ${report.machine.node}`)
  console.table(alone)
  console.table(syncs)
}

async function measureAlone(): Promise<Row[]> {
  const each = Math.floor(devices / organizations)
  await using fleet = await startFleet(
    {
      organizations: Array.from({ length: organizations }, (_, index) => ({
        name: `company${String(index + 1).padStart(3, '0')}`,
        devices: each,
        seed: 7 + index,
      })),
      latencyMs: LATENCY_MS,
      copies: {},
      // A block does not wait for its notice here: that is the work of another worker.
      env: { ...process.env, ...Object.fromEntries(Array.from({ length: organizations }, (_, index) => noNoticeWait(index))) },
      log: note,
      onWorkerEvent: () => {},
    },
    signal,
  )
  await fullSync(fleet, TIMEOUT_MS, signal)
  await fleet.workers[Symbol.asyncDispose]()
  await using inboxes = await openInboxes(fleet)
  const rows: Row[] = []
  const add = (row: Row): void => {
    note(`${row.worker} × ${row.copies}: ${row.perSecond}/s, ${row.cpuSecondsPer1000} CPU seconds per 1,000`)
    rows.push(row)
  }
  // Notices come from the writes, and reading everything again comes last, for it leaves runs that nobody carries on.
  for (const worker of ['compliance-lookup', 'enforcement', 'notification'] as const satisfies MailboxWorker[]) {
    for (const count of isChosen(worker) ? copies : []) {
      const total = await inboxes.fill(worker)
      const options = { name: worker, copies: count, total, timeoutMs: TIMEOUT_MS }
      add({ worker, ...(await measureCopies(fleet, options, signal)) })
    }
  }
  await inboxes.empty()
  for (const count of isChosen('discovery') ? copies : []) {
    add({ worker: 'discovery', ...(await measureDiscovery(fleet, { copies: count, timeoutMs: TIMEOUT_MS }, signal)) })
    await inboxes.empty()
  }
  return rows
}

function noNoticeWait(index: number): [string, string] {
  return [`GATEHOUSE_ORGANIZATIONS_${index}_MAIL_NOTICE_WAIT_SECONDS_MAX`, '0']
}

async function measureSyncs(): Promise<MeasuredSync[]> {
  const rows: MeasuredSync[] = []
  const more = copies.filter((count) => count > 1)
  const wanted = [
    ...copies.map((count) => ({ scaled: 'all' as const, copies: count })),
    ...(values.short ? [] : WORKER_NAMES.flatMap((scaled) => more.map((count) => ({ scaled, copies: count })))),
  ]
  for (const one of wanted) {
    const options = { ...one, devices: syncDevices, latencyMs: Number(values['sync-latency-ms']) }
    rows.push(await measureSync({ ...options, timeoutMs: TIMEOUT_MS, log: () => {} }, signal))
    note(`${one.scaled} × ${one.copies}: ${rows.at(-1)?.seconds} s`)
  }
  return rows
}
