/**
 * Usage: node test/torture/loss.ts [--devices 5000] [--faults 30] [--seed N] [--longest-seconds 60] [--rough-day] [--log FILE] [--json]
 *
 * A full sync during which workers are killed and frozen, the broker is restarted and killed, and connections to broker and
 * database are cut or go half-open; then a second one in peace, and an audit by what Exchange holds and has sent. The same seed
 * deals the same faults. `--rough-day`: Exchange and Graph misbehave as well. `--log`: keep what the workers
 * said, which is else kept only when something was wrong. Exit code 1 when anything was lost or done twice.
 */
import { copyFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import type { WorkerEvent } from '@gatehouse/cli/system'
import { type Fault, planFaults } from './loss/plan-faults.ts'
import { startTorturedSystem } from './loss/start-tortured-system.ts'
import { type TortureReport, tortureSystem } from './loss/torture-system.ts'

/** A small population is stretched by few runspaces, so that cmdlets need not be slow as well. */
const RUNSPACES = { few: 4, many: 12, manyFrom: 1_000 }
/** An undisturbed sync takes about as long as this for each fault, so that they fall into its middle. */
const SECONDS_PER_FAULT = 6
/** Of the simulated population: most devices have a mailbox of their own, and most mailboxes are written. */
const WRITES_PER_DEVICE = 0.7
/** Far above what it takes: a broker that is not ours may hold back what it delays for 3 minutes after a restart. */
const LIMIT = { baseMs: 240_000, perFaultMs: 20_000, perDeviceMs: 50 }

const { values } = parseArgs({
  options: {
    devices: { type: 'string', default: '5000' },
    faults: { type: 'string', default: '30' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000_007) },
    'longest-seconds': { type: 'string', default: '60' },
    'rough-day': { type: 'boolean', default: false },
    log: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
})
const [devices, faults, seed, longestSeconds] = [values.devices, values.faults, values.seed, values['longest-seconds']].map(
  Number,
) as [number, number, number, number]
if (![devices, faults, seed, longestSeconds].every(Number.isSafeInteger) || devices < 50 || faults < 1 || longestSeconds < 1) {
  process.stderr.write('--devices is a number from 50, --faults and --longest-seconds from 1, --seed any integer\n')
  process.exit(2)
}

const note = (line: string): boolean => process.stderr.write(`${line}\n`)
const stop = new AbortController()
for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => stop.abort(new Error(`Stopped by ${name}`)))

const plan = planFaults({ seed, faults, longestMs: longestSeconds * 1_000 })
note(`seed ${seed}, ${devices} devices, ${faults} faults:`)
for (const fault of plan) note(`  ${formatFault(fault)}`)
const report = await torture()
print(report)
process.exitCode = report.problems.length === 0 ? 0 : 1

async function torture(): Promise<TortureReport> {
  const limitMs = LIMIT.baseMs + faults * LIMIT.perFaultMs + devices * LIMIT.perDeviceMs
  const overdue = AbortSignal.timeout(limitMs)
  // Whatever still waits when the run has failed must not keep this process.
  const over = new AbortController()
  const signal = AbortSignal.any([stop.signal, overdue, over.signal])
  const events: WorkerEvent[] = []
  const runspaces = devices < RUNSPACES.manyFrom ? RUNSPACES.few : RUNSPACES.many
  const options = {
    devices,
    seed,
    runspaces,
    latencyMs: Math.round((faults * SECONDS_PER_FAULT * 1_000 * runspaces) / (devices * WRITES_PER_DEVICE)),
    faultsFile: values['rough-day'] ? fileURLToPath(new URL('../faults/plans/rough-day.json', import.meta.url)) : undefined,
    env: process.env,
    log: note,
    onWorkerEvent: (event: WorkerEvent) => {
      events.push(event)
      note(`  ${event.worker}: ${event.kind}${event.detail === undefined ? '' : ` (${event.detail})`}`)
    },
  }
  await using tortured = await startTorturedSystem(options, signal)
  const ended = await tortureSystem(tortured, { ...options, plan, limitMs, events }, signal).catch((error: unknown) => ({
    faults: [],
    problems: [overdue.aborted ? `not ended within ${limitMs / 1_000} s: ${String(error)}` : String(error)],
    figures: {},
  }))
  over.abort()
  if (ended.problems.length > 0 || values.log !== undefined) await keepLog(tortured.system.directory)
  return ended
}

/** The files of the system go with it. */
async function keepLog(directory: string): Promise<void> {
  const kept = values.log ?? join(tmpdir(), `gatehouse-torture-${seed}.log`)
  await copyFile(join(directory, 'logs', 'workers.log'), kept)
  note(`What the workers said: ${kept}`)
}

function print({ faults: dealt, problems, figures }: TortureReport): void {
  if (values.json)
    process.stdout.write(`${JSON.stringify({ torture: 'loss', seed, devices, faults: dealt, ...figures, problems })}\n`)
  else {
    console.table(
      dealt.map(({ kind, victim, at, dealtAt, effect, aftermath }) => ({ kind, victim, at, dealtAt, effect, aftermath })),
    )
    console.table([figures])
    for (const problem of problems) console.log(`WRONG: ${problem}`)
    if (problems.length === 0) console.log(`seed ${seed}: ${dealt.length} faults, nothing lost, nothing twice`)
  }
  const flags = values['rough-day'] ? ' --rough-day' : ''
  const replay = `npm run torture -- loss --devices ${devices} --faults ${faults} --seed ${seed} --longest-seconds ${longestSeconds}${flags}`
  if (problems.length > 0) note(`The same again: ${replay}`)
}

function formatFault({ at, kind, victim, direction, forMs }: Fault): string {
  const details = [direction, forMs === undefined ? undefined : `${forMs / 1_000} s`].filter((one) => one !== undefined)
  return `${at.toFixed(3)}  ${kind}, ${victim}${details.length === 0 ? '' : ` (${details.join(', ')})`}`
}
