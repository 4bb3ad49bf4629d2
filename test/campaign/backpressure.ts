import { parseArgs } from 'node:util'
import { createStopSignal } from '../environment/stop-signal.ts'
import { runBackpressure } from './backpressure/run-backpressure.ts'

// node test/campaign/backpressure.ts [--short] [--devices 20000] [--latency-ms 2000] [--hold-seconds 60] [--json]
// A slow Exchange and small inboxes: everything must be bounded, said by `gatehouse status`, and drain by itself afterwards.
const { values } = parseArgs({
  options: {
    short: { type: 'boolean', default: false },
    devices: { type: 'string' },
    'latency-ms': { type: 'string', default: '2000' },
    'hold-seconds': { type: 'string' },
    seed: { type: 'string', default: '7' },
    json: { type: 'boolean', default: false },
  },
})
const size = values.short
  ? { devices: 2_000, inboxMax: 100, holdSeconds: 30 }
  : { devices: 20_000, inboxMax: 500, holdSeconds: 90 }
const signal = createStopSignal()

const report = await runBackpressure(
  {
    ...size,
    devices: Number(values.devices ?? size.devices),
    holdSeconds: Number(values['hold-seconds'] ?? size.holdSeconds),
    latencyMs: Number(values['latency-ms']),
    seed: Number(values.seed),
    env: process.env,
    log: (line) => process.stderr.write(`${line}\n`),
  },
  signal,
)
if (values.json) process.stdout.write(`${JSON.stringify(report)}\n`)
else {
  console.table(report.queues)
  console.table(report.memory)
  console.log('While Exchange was slow, gatehouse status said:')
  for (const hold of report.holds) console.log(`* ${hold}`)
  console.table(report.checks)
}
process.exitCode = report.checks.every((check) => check.isSo) ? 0 : 1
