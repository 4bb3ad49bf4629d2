/**
 * Usage: node test/torture/replay.ts [--letters 10000] [--replayer-kills 10] [--broker-kills 3] [--rate 800] [--seed N] [--json]
 *
 * Dead letters of six kinds are replayed by filter, at a rate, canaries first, as fast as it goes and too early, while the process
 * that replays them and the broker are killed at random moments. In the end every message that can be sent must have taken effect
 * once, by a ledger that knows nothing of the product, and the others must lie where they were. The same seed kills at the
 * same moments. Exit code 1 when anything was lost, invented or done twice.
 */
import { parseArgs } from 'node:util'
import { type BrokerConnection, DEAD_LETTER_SOURCES, letterQueueOf, queueNamesOf, SERVICE_NAMES } from '@gatehouse/broker'
import { buryLetters } from './replay/bury-letters.ts'
import { planKills } from './replay/plan-kills.ts'
import { type RoundReport, runRounds } from './replay/run-rounds.ts'
import { type Ledger, startLedger } from './replay/start-ledger.ts'
import { ReplaySystem } from './replay/start-replay-system.ts'

const LIMIT_MS = 15 * 60_000
const QUIET_MS = 60_000

const { values } = parseArgs({
  options: {
    letters: { type: 'string', default: '10000' },
    'replayer-kills': { type: 'string', default: '10' },
    'broker-kills': { type: 'string', default: '3' },
    rate: { type: 'string', default: '800' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000_007) },
    json: { type: 'boolean', default: false },
  },
})
const [letters, replayers, brokers, rate, seed] = [
  values.letters,
  values['replayer-kills'],
  values['broker-kills'],
  values.rate,
  values.seed,
].map(Number) as [number, number, number, number, number]
if (![letters, replayers, brokers, rate, seed].every(Number.isSafeInteger) || letters < 60 || rate < 1) {
  process.stderr.write('--letters is a number from 60, --rate from 1, the others are whole numbers\n')
  process.exit(2)
}

type Figures = { seed: number; letters: number; sendable: number; kills: { replayer: number; broker: number } } & {
  arrivals: number
  copies: number
  seconds: number
  rounds: RoundReport[]
}

const note = (line: string): boolean => process.stderr.write(`${line}\n`)
const { figures, problems } = await torture(AbortSignal.timeout(LIMIT_MS))
if (values.json) process.stdout.write(`${JSON.stringify({ torture: 'replay', ...figures, problems })}\n`)
else {
  console.table(figures.rounds)
  const { rounds: _rounds, kills, ...rest } = figures
  console.table([{ ...rest, replayerKills: kills.replayer, brokerKills: kills.broker }])
  for (const problem of problems) console.log(`WRONG: ${problem}`)
  if (problems.length === 0) console.log(`seed ${seed}: every message took effect once`)
}
if (problems.length > 0) note(`The same again: npm run torture -- replay --letters ${letters} --rate ${rate} --seed ${seed}`)
process.exit(problems.length === 0 ? 0 : 1)

async function torture(signal: AbortSignal): Promise<{ figures: Figures; problems: string[] }> {
  note(`seed ${seed}: ${letters} dead letters, ${replayers} kills of the replayer, ${brokers} of the broker`)
  await using system = await ReplaySystem.start(signal)
  await using broker = await system.connect('torture', signal)
  const buried = await buryLetters(broker, letters, signal)
  await using ledger = await startLedger({ store: system.store, url: system.amqpUrl, signal })
  const began = performance.now()
  const kills = { replayer: 0, broker: 0 }
  const killing = killAll(system, { ledger, kills, effects: buried.sendable.size }, signal)
  const { rounds, refusedAtTheEnd } = await runRounds(system, ledger, { rate }, signal)
  await killing
  const depths = await whenQuiet(broker, ledger, signal)
  const arrivals = [...ledger.arrivals.values()].reduce((sum, count) => sum + count, 0)
  const figures: Figures = {
    seed,
    letters,
    sendable: buried.sendable.size,
    kills,
    arrivals,
    copies: arrivals - ledger.arrivals.size,
    seconds: Math.round((performance.now() - began) / 100) / 10,
    rounds,
  }
  return { figures, problems: findProblems(ledger, { ...buried, refusedAtTheEnd, depths }) }
}

/** Kills who is to be killed when so many messages have taken effect, one after the other. */
async function killAll(
  system: ReplaySystem,
  { ledger, kills, effects }: { ledger: Ledger; kills: { replayer: number; broker: number }; effects: number },
  signal: AbortSignal,
): Promise<void> {
  for (const { victim, at } of planKills({ seed, replayers, brokers, effects })) {
    while (ledger.effects.size < at) {
      signal.throwIfAborted()
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
    note(`killing the ${victim} after ${ledger.effects.size} effects`)
    if (victim === 'replayer') await system.killControl()
    else await system.killBroker()
    kills[victim] += 1
  }
}

/** The depths of all queues that are not empty, once nothing moves in them any more. */
async function whenQuiet(broker: BrokerConnection, ledger: Ledger, signal: AbortSignal): Promise<Record<string, number>> {
  const queues = [...SERVICE_NAMES.flatMap(queueNamesOf), ...DEAD_LETTER_SOURCES.map(letterQueueOf)]
  const deadline = performance.now() + QUIET_MS
  let before = ''
  for (;;) {
    const channel = await broker.openChannel(signal)
    const depths: Record<string, number> = {}
    for (const queue of new Set(queues)) {
      const { messageCount } = await channel.checkQueue(queue)
      if (messageCount > 0) depths[queue] = messageCount
    }
    await channel.close()
    const now = JSON.stringify([depths, ledger.arrivals.size, ledger.effects.size])
    if (now === before || performance.now() > deadline) return depths
    before = now
    await new Promise((resolve) => setTimeout(resolve, 2_000))
  }
}

function findProblems(
  ledger: Ledger,
  buried: { sendable: Set<string>; junk: number; refusedAtTheEnd: number; depths: Record<string, number> },
): string[] {
  const problems: string[] = []
  const lost = [...buried.sendable].filter((id) => !ledger.effects.has(id))
  const twice = [...ledger.effects].filter(([, count]) => count > 1)
  const invented = [...ledger.arrivals.keys()].filter((id) => !buried.sendable.has(id))
  for (const [what, found] of Object.entries({ lost, 'in effect twice': twice, invented }))
    if (found.length > 0) problems.push(`${found.length} messages ${what}, such as ${String(found[0])}`)
  const { 'gh.control.dead': junk = 0, ...others } = buried.depths
  if (junk !== buried.junk) problems.push(`${junk} letters in gh.control.dead, where ${buried.junk} cannot be sent`)
  if (buried.refusedAtTheEnd !== buried.junk)
    problems.push(`${buried.refusedAtTheEnd} letters refused at the end, not ${buried.junk}`)
  if (Object.keys(others).length > 0) problems.push(`Queues are not empty: ${JSON.stringify(others)}`)
  return problems
}
