import type { Ledger } from './start-ledger.ts'
import type { Json, ReplaySystem } from './start-replay-system.ts'

type Round = { readonly name: string; readonly request: object; readonly mayStop?: string }

export type RoundReport = {
  name: string
  replays: number
  sent: number
  returned: number
  unaccounted: number
  stopped: string[]
}

const DISCOVERY = { filter: { service: 'discovery' } }

/**
 * Replays everything, in the ways an operator has: by code and rate, by service with canaries, as fast as it goes, and once too
 * early, when the canaries come back and keep the rest from being sent.
 */
export async function runRounds(
  system: ReplaySystem,
  ledger: Ledger,
  { rate }: { rate: number },
  signal: AbortSignal,
): Promise<{ rounds: RoundReport[]; refusedAtTheEnd: number }> {
  const rounds: RoundReport[] = []
  const run = async (round: Round): Promise<void> => {
    process.stderr.write(`round: ${round.name}\n`)
    rounds.push(await runRound(system, round, signal))
  }
  ledger.broken.add('discovery')
  await run({ name: 'by code, at a rate', request: { filter: { code: 'exchange-timeout' }, ratePerSecond: rate } })
  const canary = { count: 50, seconds: 1 }
  await run({
    name: 'by service, canaries first',
    request: { filter: { service: 'notification' }, canary, ratePerSecond: rate },
  })
  await run({ name: 'as fast as it goes', request: { filter: { service: 'compliance-lookup' } } })
  const early = { ...DISCOVERY, canary: { count: 20, seconds: 5 } }
  await run({ name: 'too early', request: early, mayStop: 'canary-returned' })
  ledger.broken.delete('discovery')
  await run({ name: 'again, once it is mended', request: { ...DISCOVERY, ratePerSecond: rate } })
  const { body: rest } = await system.call('POST', '/api/deadLetters/replay', {}, signal)
  return { rounds, refusedAtTheEnd: rest.count === 0 ? rest.refused.count : -1 }
}

/** Looks, executes and follows until nothing is left to be sent, whoever is killed meanwhile. */
async function runRound(system: ReplaySystem, round: Round, signal: AbortSignal): Promise<RoundReport> {
  const report: RoundReport = { name: round.name, replays: 0, sent: 0, returned: 0, unaccounted: 0, stopped: [] }
  for (;;) {
    const id = await openReplay(system, round, signal)
    if (id === undefined) return report
    const replay = await follow(system, id, signal)
    report.replays += 1
    report.sent += replay.counts.sent
    report.returned += replay.counts.returned
    report.unaccounted += replay.counts.unaccounted
    if (replay.state === 'finished') continue
    report.stopped.push(replay.problem.code)
    if (replay.problem.code === round.mayStop) return report
  }
}

/** The replay that was opened, by this call or by an earlier one whose answer was lost; undefined when nothing is to be sent. */
async function openReplay(system: ReplaySystem, { request }: Round, signal: AbortSignal): Promise<string | undefined> {
  for (;;) {
    const running = (await system.call('GET', '/api/replays?top=1', undefined, signal)).body.value[0]
    if (running?.state === 'running') return running.id
    const { body: plan } = await system.call('POST', '/api/deadLetters/replay', request, signal)
    if (plan.count === 0) return undefined
    const execution = { ...request, execute: true, hash: plan.hash }
    const { status, body } = await system.call('POST', '/api/deadLetters/replay', execution, signal)
    if (status === 202) return body.replayId
  }
}

async function follow(system: ReplaySystem, id: string, signal: AbortSignal): Promise<Json> {
  for (;;) {
    const { body } = await system.call('GET', `/api/replays/${id}`, undefined, signal)
    if (body.state !== 'running') return body
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
