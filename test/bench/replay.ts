/**
 * Usage: node test/bench/replay.ts [--letters 40000] [--runs 3] [--json]
 *
 * How fast control replays dead letters without a rate limit: from the moment the replay is opened until the last letter is in its
 * inbox, each published, confirmed and acknowledged; with the time it takes to look at them first. Control is a process of its
 * own, the broker has no other work; durable queues, as always. Exit code 1 below the budget of 10,000 a second.
 */
import { cpus } from 'node:os'
import { parseArgs } from 'node:util'
import { queueNamesOf } from '@gatehouse/broker'
import { buryLetters } from '../torture/replay/bury-letters.ts'
import { ReplaySystem } from '../torture/replay/start-replay-system.ts'

const LIMIT_MS = 10 * 60_000
const POLL_MS = 20
const PER_SECOND_MIN = 10_000
/** Of the six kinds of letters one cannot be sent. */
const SERVICES = ['notification', 'enforcement', 'compliance-lookup', 'discovery'] as const
const QUEUES = SERVICES.flatMap((service) => queueNamesOf(service).filter((name) => !name.endsWith('.dead')))

const { values } = parseArgs({
  options: {
    letters: { type: 'string', default: '40000' },
    runs: { type: 'string', default: '3' },
    json: { type: 'boolean', default: false },
  },
})
const [letters, runs] = [values.letters, values.runs].map(Number) as [number, number]
if (![letters, runs].every(Number.isSafeInteger) || letters < 600 || letters > 200_000 || runs < 1) {
  process.stderr.write('--letters is a number from 600 to 200000, --runs from 1\n')
  process.exit(2)
}

type Run = { letters: number; lookSeconds: number; replaySeconds: number; perSecond: number }

const measured: Run[] = []
for (let run = 1; run <= runs; run++) {
  process.stderr.write(`run ${run} of ${runs}\n`)
  measured.push(await measure(AbortSignal.timeout(LIMIT_MS)))
}
const perSecond = median(measured.map((run) => run.perSecond))
const machine = { cpu: cpus()[0]?.model, cores: cpus().length, node: process.version }
if (values.json) process.stdout.write(`${JSON.stringify({ bench: 'replay', machine, perSecond, runs: measured })}\n`)
else {
  console.log(`${machine.cpu}, ${machine.cores} cores, Node ${machine.node}`)
  console.table(measured)
  console.log(`median ${perSecond} letters/s, at least ${PER_SECOND_MIN} wanted`)
}
process.exit(perSecond >= PER_SECOND_MIN ? 0 : 1)

async function measure(signal: AbortSignal): Promise<Run> {
  await using system = await ReplaySystem.start(signal)
  await using broker = await system.connect('bench', signal)
  const { sendable } = await buryLetters(broker, letters, signal)
  const looked = performance.now()
  const { body: plan } = await system.call('POST', '/api/deadLetters/replay', {}, signal)
  const lookSeconds = (performance.now() - looked) / 1000
  if (plan.count !== sendable.size) throw new Error(`${plan.count} letters are to be replayed, not ${sendable.size}`)
  const execution = { execute: true, hash: plan.hash }
  const { body } = await system.call('POST', '/api/deadLetters/replay', execution, signal)
  const began = performance.now()
  const channel = await broker.openChannel(signal)
  const countArrived = async (): Promise<number> => {
    const counts = await Promise.all(QUEUES.map(async (queue) => (await channel.checkQueue(queue)).messageCount))
    return counts.reduce((sum, count) => sum + count, 0)
  }
  while ((await countArrived()) < sendable.size) {
    signal.throwIfAborted()
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
  const replaySeconds = (performance.now() - began) / 1000
  const { body: replay } = await system.call('GET', `/api/replays/${body.replayId}`, undefined, signal)
  if (replay.problem !== null) throw new Error(`The replay stopped: ${JSON.stringify(replay.problem)}`)
  const round = (seconds: number): number => Math.round(seconds * 1000) / 1000
  return {
    letters: sendable.size,
    lookSeconds: round(lookSeconds),
    replaySeconds: round(replaySeconds),
    perSecond: Math.round(sendable.size / replaySeconds),
  }
}

function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN
}
