import { spawn } from 'node:child_process'
import { cpus } from 'node:os'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

// node test/bench/sync.ts [--runs 3] [--devices 5000] [--latency-ms 100] [--runspaces 12] [--json]
// The demo, whole processes, several times: the figures of each run and their median.
const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '3' },
    devices: { type: 'string', default: '5000' },
    'latency-ms': { type: 'string', default: '100' },
    runspaces: { type: 'string', default: '12' },
    json: { type: 'boolean', default: false },
  },
})
const main = fileURLToPath(new URL('../../services/cli/src/main.ts', import.meta.url))

type Figures = Record<string, unknown> & { ratio: number; syncSeconds: number; idealSeconds: number }

const runs: Figures[] = []
for (let run = 1; run <= Number(values.runs); run++) {
  process.stderr.write(`run ${run} of ${values.runs}\n`)
  runs.push(await runDemo())
}
const report = {
  bench: 'sync',
  machine: { cpu: cpus()[0]?.model, cores: cpus().length, node: process.version },
  median: { ratio: median('ratio'), syncSeconds: median('syncSeconds'), idealSeconds: median('idealSeconds') },
  runs,
}
if (values.json) process.stdout.write(`${JSON.stringify(report)}\n`)
else {
  console.log(`${report.machine.cpu}, ${report.machine.cores} cores, Node ${report.machine.node}`)
  const columns = [
    'syncSeconds',
    'idealSeconds',
    'ratio',
    'writes',
    'cmdletsSent',
    'cmdletsLeast',
    'graphRequests',
    'graphRequestsLeast',
    'mails',
    'wrong',
  ]
  console.table(
    runs.map((run) =>
      Object.fromEntries([
        ...columns.map((name) => [name, run[name]]),
        ['secondWrites', (run.secondSync as { writes: number }).writes],
      ]),
    ),
  )
  console.log(
    `median ratio ${report.median.ratio}: ${report.median.syncSeconds} s against an ideal of ${report.median.idealSeconds} s`,
  )
}

function runDemo(): Promise<Figures> {
  const size = ['--devices', values.devices, '--latency-ms', values['latency-ms'], '--runspaces', values.runspaces]
  const child = spawn(process.execPath, [main, 'demo', ...size, '--exit', '--json'], { stdio: ['ignore', 'pipe', 'inherit'] })
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    output += chunk
  })
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code) => {
      if (output.trim() === '') reject(new Error(`The demo ended with exit code ${code} and no figures`))
      else resolve(JSON.parse(output) as Figures)
    })
  })
}

function median(name: 'ratio' | 'syncSeconds' | 'idealSeconds'): number {
  const sorted = runs.map((run) => run[name]).sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}
