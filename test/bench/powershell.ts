/**
 * Usage: node test/bench/powershell.ts [--json] [--cmdlets 5000] [--devices 5000] [--rounds 5] [--runspaces 12]
 *
 * Cmdlets per second at latency 0 through libs/powershell, over HTTP to the Exchange simulator in another process, and how
 * long one bulk read takes. The bound is per core of the client: cmdlets ÷ processor time, beside the wall clock, which
 * the simulator shares.
 */
import { spawn } from 'node:child_process'
import { cpus } from 'node:os'
import { parseArgs } from 'node:util'
import { createRemotingEngine, type PsObject, type RunspacePool } from '../../libs/powershell/src/index.ts'
import { createPopulation, startExchangeSimulator } from '../simulators/src/index.ts'

const BOUND_CMDLETS_PER_SECOND = 500
/** As many messages as enforcement handles at once: the pool's queue is never empty. */
const IN_HAND = 200
const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    cmdlets: { type: 'string', default: '5000' },
    devices: { type: 'string', default: '5000' },
    rounds: { type: 'string', default: '5' },
    runspaces: { type: 'string', default: '12' },
    'serve-simulator': { type: 'boolean', default: false },
  },
})
const cmdlets = Number(values.cmdlets)
const devices = Number(values.devices)
const rounds = Number(values.rounds)
const runspaces = Number(values.runspaces)
const signal = AbortSignal.timeout(10 * 60_000)
const options = { signal, timeoutMs: 120_000 }

if (values['serve-simulator']) await serveSimulator()
else await bench()

/** The other process: this file again. Ends when its standard input does. */
async function serveSimulator(): Promise<void> {
  const simulator = await startExchangeSimulator({ population: createPopulation({ devices, seed: 7 }), port: 0, latencyMs: 0 })
  process.stdout.write(`${JSON.stringify({ url: simulator.url, user: simulator.user, password: simulator.password })}\n`)
  process.stdin.resume()
  process.stdin.on('end', () => void simulator.stop().then(() => process.exit(0)))
}

async function bench(): Promise<void> {
  const child = spawn(process.execPath, [import.meta.filename, '--serve-simulator', '--devices', String(devices)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  try {
    const line = await new Promise<string>((resolve, reject) => {
      child.once('exit', (code) => reject(new Error(`The simulator ended with code ${code}`)))
      child.stdout.once('data', (chunk: Buffer) => resolve(chunk.toString()))
    })
    const { url, user, password } = JSON.parse(line) as { url: string; user: string; password: string }
    await using engine = createRemotingEngine({
      transport: { kind: 'wsman', url, user, password, idleTimeoutMs: 120_000 },
      onOpenRunspace: [{ name: 'Set-ADServerSettings', parameters: { ViewEntireForest: true } }],
      shellsMax: runspaces,
    })
    const pool = await engine.open({ runspaces, signal })
    print({ writes: await measureWrites(pool), read: await measureRead(pool) })
  } finally {
    child.stdin.end()
  }
}

type Round = { seconds: number; cpuSeconds: number; perSecond: number; perCpuSecond: number }

/** One Set-CASMailbox each time, as enforcement sends it; the first round only warms up. */
async function measureWrites(pool: RunspacePool): Promise<Round[]> {
  const { output } = await pool.invoke({ name: 'Get-CASMailbox', parameters: { ResultSize: 'Unlimited' } }, options)
  const identities = output.map(guidOf)
  const measured: Round[] = []
  for (let round = 0; round <= rounds; round++) {
    const measure = startMeasure()
    let next = 0
    const writeOnAndOn = async () => {
      for (let n = next++; n < cmdlets; n = next++) {
        const parameters = {
          Identity: identities[n % identities.length] ?? '',
          ActiveSyncAllowedDeviceIDs: { Add: [`BENCH${round}${n}`], Remove: [] },
        }
        const { errors } = await pool.invoke({ name: 'Set-CASMailbox', parameters }, options)
        if (errors[0] !== undefined) throw new Error(errors[0].message)
      }
    }
    await Promise.all(Array.from({ length: IN_HAND }, writeOnAndOn))
    if (round > 0) measured.push(measure(cmdlets))
  }
  return measured
}

async function measureRead(pool: RunspacePool): Promise<Round & { objects: number; properties: number }> {
  const parameters = { ResultSize: 'Unlimited' }
  let best: (Round & { objects: number; properties: number }) | undefined
  for (let round = 0; round < rounds; round++) {
    const measure = startMeasure()
    const { output } = await pool.invoke({ name: 'Get-MobileDevice', parameters }, options)
    const measured = {
      ...measure(output.length),
      objects: output.length,
      properties: Object.keys(output[0]?.properties ?? {}).length,
    }
    if (best === undefined || measured.seconds < best.seconds) best = measured
  }
  if (best === undefined) throw new Error('--rounds must be at least 1')
  return best
}

function startMeasure(): (count: number) => Round {
  const startedAt = performance.now()
  const cpu = process.cpuUsage()
  return (count) => {
    const { user, system } = process.cpuUsage(cpu)
    const seconds = (performance.now() - startedAt) / 1_000
    const cpuSeconds = (user + system) / 1_000_000
    return { seconds, cpuSeconds, perSecond: count / seconds, perCpuSecond: count / cpuSeconds }
  }
}

function guidOf(mailbox: PsObject): string {
  const { Guid: guid } = mailbox.properties
  if (typeof guid !== 'string') throw new Error('A mailbox without a Guid')
  return guid
}

function print(o: { writes: Round[]; read: Round & { objects: number; properties: number } }): void {
  const sorted = o.writes.toSorted((a, b) => a.perCpuSecond - b.perCpuSecond)
  const median = sorted[Math.floor(sorted.length / 2)] ?? sorted[0]
  const passed = (median?.perCpuSecond ?? 0) >= BOUND_CMDLETS_PER_SECOND
  const machine = { node: process.version, cpu: cpus()[0]?.model ?? 'unknown', cores: cpus().length }
  const report = { bench: 'powershell', machine, cmdlets, runspaces, devices, writes: o.writes, median, read: o.read, passed }
  if (values.json) {
    process.stdout.write(`${JSON.stringify(report)}\n`)
    return
  }
  process.stdout.write(`${machine.cpu}, ${machine.cores} cores, node ${machine.node}; ${runspaces} runspaces, latency 0\n\n`)
  process.stdout.write('round   cmdlets/s   cmdlets/s per client core\n')
  for (const [index, round] of o.writes.entries()) {
    process.stdout.write(
      `${String(index + 1).padStart(5)}${round.perSecond.toFixed(0).padStart(12)}${round.perCpuSecond.toFixed(0).padStart(28)}\n`,
    )
  }
  process.stdout.write(
    `\nmedian per core ${median?.perCpuSecond.toFixed(0)} (bound ${BOUND_CMDLETS_PER_SECOND}: ${passed ? 'kept' : 'BROKEN'})\n`,
  )
  process.stdout.write(
    `Get-MobileDevice: ${o.read.objects} objects x ${o.read.properties} properties in ${o.read.seconds.toFixed(2)} s, ` +
      `client ${o.read.cpuSeconds.toFixed(2)} s of processor time\n`,
  )
}
