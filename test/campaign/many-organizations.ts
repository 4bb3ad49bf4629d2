import { cpus } from 'node:os'
import { parseArgs } from 'node:util'
import { createStopSignal } from '../environment/stop-signal.ts'
import { runManyOrganizations } from './many-organizations/run-many-organizations.ts'

// node test/campaign/many-organizations.ts [--short] [--organizations 30] [--devices 100000] [--latency-ms 400] [--enforcement 1]
//   [--timeout-seconds 900] [--json]
// One Gatehouse, many Exchange organisations of very different sizes, one Microsoft tenant: a full sync of all of them at once.
const { values } = parseArgs({
  options: {
    short: { type: 'boolean', default: false },
    organizations: { type: 'string' },
    devices: { type: 'string' },
    'latency-ms': { type: 'string', default: '400' },
    enforcement: { type: 'string', default: '1' },
    'timeout-seconds': { type: 'string', default: '900' },
    seed: { type: 'string', default: '7' },
    json: { type: 'boolean', default: false },
  },
})
const size = values.short ? { organizations: 3, devices: 1_500 } : { organizations: 30, devices: 100_000 }
const signal = createStopSignal()

const report = {
  machine: { cpu: cpus()[0]?.model, cores: cpus().length, node: process.version },
  ...(await runManyOrganizations(
    {
      organizations: Number(values.organizations ?? size.organizations),
      devices: Number(values.devices ?? size.devices),
      latencyMs: Number(values['latency-ms']),
      copies: { enforcement: Number(values.enforcement) },
      timeoutSeconds: Number(values['timeout-seconds']),
      seed: Number(values.seed),
      env: process.env,
      log: (line) => process.stderr.write(`${line}\n`),
    },
    signal,
  )),
}
if (values.json) process.stdout.write(`${JSON.stringify(report)}\n`)
else {
  console.table(report.perOrganization)
  console.table(report.workers)
  console.table(report.queues)
  console.table(report.bytesPerDevice)
  const { totalSeconds, writes, writesPerSecond, graphRequests, graphRequestsLeast, limit } = report
  console.log(
    `${report.machine.cpu}, ${report.machine.cores} cores, Node ${report.machine.node}, ${report.latencyMs} ms a cmdlet`,
  )
  console.log(
    `${report.devices} devices of ${report.organizations} organisations: ${writes} writes in ${totalSeconds} s, ${writesPerSecond}/s`,
  )
  console.log(`Graph: ${graphRequests} requests, least possible ${graphRequestsLeast}; database: ${report.databaseMiB} MiB`)
  console.log(`What the time went into: ${limit}`)
  console.table(report.checks)
}
process.exitCode = report.checks.every((check) => check.isSo) ? 0 : 1
