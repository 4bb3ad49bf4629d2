/**
 * Usage: node test/fuzz/clixml.ts [--seconds 30] [--seed N] [--json]
 *
 * Feeds the CLIXML decoder, and both halves of MS-PSRP, with generated and mutated documents; inputs whose outcome (error or
 * shape of the value) is new are mutated on. A find is an error that is not one of ours, a hang, an input slower than 250 ms per
 * 100 KB, or memory that grows. Exit code 1 when there is one. The same seed gives the same inputs.
 */
import { parseArgs } from 'node:util'
import { Worker } from 'node:worker_threads'
import type { FuzzFind, FuzzOrder, FuzzReport } from './fuzz-worker.ts'

const CURRENT_BYTES = 512 * 1024
const HANG_MS = 20_000
const HEAP_MB_MAX = 2_048

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '30' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000_007) },
    json: { type: 'boolean', default: false },
  },
})
const seconds = Number(values.seconds)
const seed = Number(values.seed)
if (!(seconds > 0 && seconds <= 86_400) || !Number.isInteger(seed)) {
  process.stderr.write('--seconds is a number up to 86400, --seed an integer\n')
  process.exit(2)
}

const report = await fuzz({ seconds, seed, current: new SharedArrayBuffer(CURRENT_BYTES) })
print(report)
process.exitCode = report.finds.length === 0 ? 0 : 1

/** In a thread of its own, so that an endless loop or a full heap is a find and not the end of the fuzzer. */
async function fuzz(order: FuzzOrder): Promise<FuzzReport> {
  const worker = new Worker(new URL('fuzz-worker.ts', import.meta.url), {
    workerData: order,
    resourceLimits: { maxOldGenerationSizeMb: HEAP_MB_MAX },
  })
  const { promise, resolve } = Promise.withResolvers<FuzzReport>()
  worker.once('message', resolve)
  worker.once('error', (error: Error) => resolve(lost(order, { kind: 'error', what: error.stack ?? error.message })))
  const timer = setTimeout(() => resolve(lost(order, { kind: 'slow', what: 'never ended' })), order.seconds * 1_000 + HANG_MS)
  try {
    return await promise
  } finally {
    clearTimeout(timer)
    await worker.terminate()
  }
}

/** The worker is gone, or will never answer: what it was decoding is in the shared memory. */
function lost(order: FuzzOrder, find: Omit<FuzzFind, 'input'>): FuzzReport {
  const bytes = Buffer.from(order.current)
  const input = bytes.toString('utf8', 4, 4 + bytes.readUInt32BE(0))
  const memoryMb = { start: 0, end: 0 }
  return { executions: 0, kept: 0, decoded: 0, refused: 0, slowestMsPer100Kb: 0, memoryMb, finds: [{ ...find, input }] }
}

function print(result: FuzzReport): void {
  const perSecond = Math.round(result.executions / seconds)
  if (values.json) {
    process.stdout.write(`${JSON.stringify({ fuzz: 'clixml', seed, seconds, perSecond, ...result })}\n`)
    return
  }
  process.stdout.write(
    `seed ${seed}: ${result.executions} executions (${perSecond}/s), ${result.decoded} decoded, ${result.refused} refused, ${result.kept} inputs kept\n` +
      `slowest ${result.slowestMsPer100Kb.toFixed(1)} ms per 100 KB; memory ${result.memoryMb.start.toFixed(0)} to ${result.memoryMb.end.toFixed(0)} MB\n`,
  )
  for (const find of result.finds)
    process.stdout.write(`\nFIND (${find.kind}): ${find.what}\n${JSON.stringify(find.input.slice(0, 2_000))}\n`)
  if (result.finds.length === 0) process.stdout.write('nothing found\n')
}
