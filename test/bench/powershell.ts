/**
 * Usage: node test/bench/powershell.ts [--json] [--commands 5000] [--rounds 3]
 *
 * Every engine of libs/powershell: commands per second at latency 0 with 1, 4 and 12 runspaces and the client's processor time per
 * command; the wall clock of 12 runspaces on a cmdlet of 300 ms, as a ratio to the ideal; and one bulk read. WSMan goes over HTTP to the
 * Exchange simulator in another process, the others to the real PowerShell engine.
 */
import { cpus } from 'node:os'
import { parseArgs } from 'node:util'
import { createRemotingEngine } from '../../libs/powershell/src/index.ts'
import { type BenchedEngine, listBenchedEngines, startSimulator } from './powershell/benched-engines.ts'
import { type Measured, runCommands } from './powershell/run-commands.ts'

const BOUND_WSMAN_PER_SECOND = 500
const BOUND_RATIO = { remoting: 1.05, host: 1.1 } as const
const RUNSPACES = [1, 4, 12] as const
const LATENCY_MS = 300
const LATENCY_COMMANDS = 240
/** As many messages as enforcement handles at once: the pool's queue is never empty. */
const IN_HAND = 200
const READ_DEVICES = 5_000

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    commands: { type: 'string', default: '5000' },
    rounds: { type: 'string', default: '3' },
  },
})
const commands = Number(values.commands)
const rounds = Number(values.rounds)
const signal = AbortSignal.timeout(30 * 60_000)

type Row = {
  engine: string
  transport: string
  runspaces: number
  latencyMs: number
  commands: number
  perSecond: number
  cpuMsPerCommand: number
  /** Wall clock ÷ (commands × latency ÷ runspaces). */
  ratioToIdeal?: number
  passed?: boolean
}

const { engines, missing } = await listBenchedEngines()
const results: Row[] = []
for (const engine of engines) {
  for (const runspaces of RUNSPACES) results.push(await benchAtOnce(engine, runspaces))
  results.push(await benchLatency(engine))
}
print(await benchRead())

async function benchAtOnce(benched: BenchedEngine, runspaces: number): Promise<Row> {
  await using opened = await benched.open({ runspaces, latencyMs: 0 })
  const pool = await opened.engine.open({ runspaces, signal })
  const measured: Measured[] = []
  const command = (n: number) => benched.command(n, 0)
  for (let round = 0; round <= rounds; round++) {
    const one = await runCommands(pool, { count: commands, inHand: IN_HAND, command, signal })
    // The first only warms up.
    if (round > 0) measured.push(one)
  }
  const { seconds, cpuSeconds } = medianOf(measured)
  const perSecond = commands / seconds
  return {
    ...{ engine: benched.engine, transport: benched.transport, runspaces, latencyMs: 0, commands },
    perSecond: Math.round(perSecond),
    cpuMsPerCommand: round3((cpuSeconds * 1_000) / commands),
    ...(benched === engines[0] && runspaces === 12 && { passed: perSecond >= BOUND_WSMAN_PER_SECOND }),
  }
}

async function benchLatency(benched: BenchedEngine): Promise<Row> {
  const runspaces = 12
  await using opened = await benched.open({ runspaces, latencyMs: LATENCY_MS })
  const pool = await opened.engine.open({ runspaces, signal })
  const command = (n: number) => benched.command(n, LATENCY_MS)
  // Opens every runspace.
  await runCommands(pool, { count: runspaces * 3, inHand: IN_HAND, command, signal })
  const { seconds, cpuSeconds } = await runCommands(pool, { count: LATENCY_COMMANDS, inHand: IN_HAND, command, signal })
  const ratioToIdeal = seconds / ((LATENCY_COMMANDS * LATENCY_MS) / 1_000 / runspaces)
  return {
    ...{ engine: benched.engine, transport: benched.transport, runspaces, latencyMs: LATENCY_MS, commands: LATENCY_COMMANDS },
    perSecond: round3(LATENCY_COMMANDS / seconds),
    cpuMsPerCommand: round3((cpuSeconds * 1_000) / LATENCY_COMMANDS),
    ratioToIdeal: round3(ratioToIdeal),
    passed: ratioToIdeal <= BOUND_RATIO[benched.engine],
  }
}

type Read = { objects: number; properties: number; seconds: number; perSecond: number }

/** One Get-MobileDevice of all devices, over WSMan. */
async function benchRead(): Promise<Read> {
  const { url, user, password, stop } = await startSimulator(0, READ_DEVICES)
  try {
    await using engine = createRemotingEngine({
      transport: { kind: 'wsman', url, user, password, idleTimeoutMs: 120_000 },
      shellsMax: 1,
    })
    const pool = await engine.open({ runspaces: 1, signal })
    const reads: Read[] = []
    for (let round = 0; round <= rounds; round++) {
      const startedAt = performance.now()
      const parameters = { ResultSize: 'Unlimited' }
      const { output } = await pool.invoke({ name: 'Get-MobileDevice', parameters }, { signal, timeoutMs: 120_000 })
      const seconds = (performance.now() - startedAt) / 1_000
      const properties = Object.keys(output[0]?.properties ?? {}).length
      reads.push({
        objects: output.length,
        properties,
        seconds: round3(seconds),
        perSecond: Math.round(output.length / seconds),
      })
    }
    return medianOf(reads.slice(1))
  } finally {
    stop()
  }
}

function medianOf<T extends { readonly seconds: number }>(measured: readonly T[]): T {
  const median = measured.toSorted((a, b) => a.seconds - b.seconds)[Math.floor(measured.length / 2)]
  if (median === undefined) throw new Error('--rounds must be at least 1')
  return median
}

function round3(value: number): number {
  return Math.round(value * 1_000) / 1_000
}

function print(read: Read): void {
  const machine = { node: process.version, cpu: cpus()[0]?.model ?? 'unknown', cores: cpus().length }
  const passed = results.every((row) => row.passed !== false)
  process.exitCode = passed ? 0 : 1
  if (values.json) {
    process.stdout.write(`${JSON.stringify({ bench: 'powershell', machine, rounds, results, read, missing, passed })}\n`)
    return
  }
  process.stdout.write(`${machine.cpu}, ${machine.cores} cores, node ${machine.node}; medians of ${rounds} rounds\n\n`)
  process.stdout.write('engine    transport  runspaces  latency  commands/s  client ms/command  ÷ ideal\n')
  for (const row of results) {
    const ratio = row.ratioToIdeal === undefined ? '' : row.ratioToIdeal.toFixed(3)
    process.stdout.write(
      `${row.engine.padEnd(10)}${row.transport.padEnd(11)}${String(row.runspaces).padStart(9)}${`${row.latencyMs} ms`.padStart(9)}` +
        `${row.perSecond.toFixed(0).padStart(12)}${row.cpuMsPerCommand.toFixed(3).padStart(19)}${ratio.padStart(9)}` +
        `${row.passed === undefined ? '' : row.passed ? '  kept' : '  BROKEN'}\n`,
    )
  }
  process.stdout.write(
    `\nGet-MobileDevice: ${read.objects} objects x ${read.properties} properties in ${read.seconds.toFixed(2)} s\n`,
  )
  for (const text of missing) process.stdout.write(`not measured: ${text}\n`)
}
