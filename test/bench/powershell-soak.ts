/**
 * Usage: node test/bench/powershell-soak.ts [--json] [--commands 20000] [--runspaces 12]
 *
 * Many commands through each engine: memory of this process and of the PowerShell it started at the start (after a warm-up), at the
 * end and at its peak, and what is left open when the engine is closed.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { type BenchedEngine, listBenchedEngines } from './powershell/benched-engines.ts'
import { runCommands } from './powershell/run-commands.ts'

const IN_HAND = 200
const WARM_UP = 3_000
const SAMPLE_EVERY = 250
const GOODBYE_TURNS = 30
/** Of the heap after a collection: so much more after all commands is a leak. */
const HEAP_GROWTH_MIB_MAX = 4
const MIB = 1024 * 1024

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    commands: { type: 'string', default: '20000' },
    runspaces: { type: 'string', default: '12' },
  },
})
const commands = Number(values.commands)
const runspaces = Number(values.runspaces)
const signal = AbortSignal.timeout(60 * 60_000)
// Whoever looks at them first opens them: they are not what an engine has left.
void [process.stdin, process.stdout, process.stderr]
setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

type Memory = { startMiB: number; endMiB: number; peakMiB: number }
type Row = {
  engine: string
  transport: string
  commands: number
  seconds: number
  heap: Memory
  resident: Memory
  children: Memory
  left: string[]
  passed: boolean
}

const { engines, missing } = await listBenchedEngines()
const results: Row[] = []
for (const engine of engines) results.push(await soak(engine))
print()

async function soak(benched: BenchedEngine): Promise<Row> {
  const before = openResources()
  const { seconds, samples } = await runAll(benched)
  // Sockets and processes say goodbye after the promise.
  let left = leftOpen(before)
  for (let turn = 0; turn < GOODBYE_TURNS && left.length > 0; turn++) {
    await new Promise((next) => setTimeout(next, 100))
    left = leftOpen(before)
  }
  const heap = memoryOf(samples.map((each) => each.heap))
  return {
    ...{ engine: benched.engine, transport: benched.transport, commands, seconds: Math.round(seconds * 10) / 10 },
    heap,
    resident: memoryOf(samples.map((each) => each.resident)),
    children: memoryOf(samples.map((each) => each.children)),
    left,
    passed: left.length === 0 && heap.endMiB - heap.startMiB <= HEAP_GROWTH_MIB_MAX,
  }
}

type Sample = { heap: number; resident: number; children: number }

async function runAll(benched: BenchedEngine): Promise<{ seconds: number; samples: Sample[] }> {
  await using opened = await benched.open({ runspaces, latencyMs: 0 })
  const pool = await opened.engine.open({ runspaces, signal })
  const command = (n: number) => benched.command(n, 0)
  await runCommands(pool, { count: WARM_UP, inHand: IN_HAND, command, signal })
  const samples = [sample()]
  let done = 0
  const onDone = () => {
    if (++done % SAMPLE_EVERY === 0) samples.push(sample(false))
  }
  const { seconds } = await runCommands(pool, { count: commands, inHand: IN_HAND, command, signal, onDone })
  samples.push(sample())
  return { seconds, samples }
}

/** Collected: the heap without garbage, at the start and at the end. In between it is as it is: its peak holds garbage. */
function sample(collected = true): Sample {
  if (collected) for (let n = 0; n < 3; n++) collect()
  const { heapUsed, rss, external } = process.memoryUsage()
  return { heap: (heapUsed + external) / MIB, resident: rss / MIB, children: residentOfChildren() / MIB }
}

function memoryOf(values: readonly number[]): Memory {
  const round = (value: number) => Math.round(value * 10) / 10
  return { startMiB: round(values[0] ?? 0), endMiB: round(values.at(-1) ?? 0), peakMiB: round(Math.max(...values)) }
}

function openResources(): string[] {
  return process.getActiveResourcesInfo().filter((name) => name !== 'Timeout' && name !== 'Immediate')
}

/** The kinds of which there are more than there were. */
function leftOpen(before: readonly string[]): string[] {
  const now = openResources()
  return [...new Set(now)].filter((name) => count(now, name) > count(before, name))
}

function count(all: readonly string[], name: string): number {
  return all.filter((each) => each === name).length
}

/** Bytes of all processes below this one; 0 where there is no /proc. */
function residentOfChildren(): number {
  try {
    const parents = new Map<number, number>()
    for (const name of readdirSync('/proc')) {
      if (!/^\d+$/.test(name)) continue
      const stat = readFileIfThere(`/proc/${name}/stat`)
      parents.set(Number(name), Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]))
    }
    let bytes = 0
    for (const pid of parents.keys()) {
      if (isBelow(pid, parents))
        bytes += Number(/^VmRSS:\s+(\d+)/m.exec(readFileIfThere(`/proc/${pid}/status`))?.[1] ?? 0) * 1024
    }
    return bytes
  } catch {
    return 0
  }
}

function isBelow(pid: number, parents: ReadonlyMap<number, number>): boolean {
  for (let at = parents.get(pid); at !== undefined && at > 1; at = parents.get(at)) if (at === process.pid) return true
  return false
}

function readFileIfThere(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    // It ended meanwhile.
    return ''
  }
}

function print(): void {
  const passed = results.every((row) => row.passed)
  process.exitCode = passed ? 0 : 1
  if (values.json) {
    process.stdout.write(`${JSON.stringify({ bench: 'powershell-soak', commands, runspaces, results, missing, passed })}\n`)
    return
  }
  const show = ({ startMiB, endMiB, peakMiB }: Memory) => `${startMiB} → ${endMiB}, peak ${peakMiB} MiB`
  for (const row of results) {
    process.stdout.write(
      `${row.engine}/${row.transport}: ${row.commands} commands in ${row.seconds} s\n  heap ${show(row.heap)}\n  resident ${show(row.resident)}\n` +
        `  processes below it ${show(row.children)}\n  left open: ${row.left.join(', ') || 'nothing'} ${row.passed ? '' : ' BROKEN'}\n`,
    )
  }
  for (const text of missing) process.stdout.write(`not measured: ${text}\n`)
}
