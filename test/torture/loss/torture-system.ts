import { setTimeout as delay } from 'node:timers/promises'
import { type MeasuredSync, runMeasuredSync, type System, type WorkerEvent } from '@gatehouse/cli/system'
import { createPopulation } from '@gatehouse/simulators'
import { type DealtFault, dealFaults } from './deal-faults.ts'
import { findLosses } from './find-losses.ts'
import type { Fault } from './plan-faults.ts'
import { readLedger, readQueues } from './read-ledger.ts'
import type { TorturedSystem } from './start-tortured-system.ts'

export type TortureOptions = {
  readonly devices: number
  readonly seed: number
  readonly plan: readonly Fault[]
  readonly limitMs: number
  readonly events: readonly WorkerEvent[]
  readonly log: (line: string) => void
}

export type TortureReport = {
  faults: (Omit<DealtFault, 'aftermath'> & { aftermath: string })[]
  problems: string[]
  figures: Record<string, number>
}

const QUIET_MS_MAX = 150_000
const QUIET_POLL_MS = 500
const QUIET_POLLS = 4
const LEASES_MS_MAX = 120_000

/** A first sync under the planned faults, a second one in peace (or under those that the first had no time for), then the audit. */
export async function tortureSystem(
  tortured: TorturedSystem,
  options: TortureOptions,
  signal: AbortSignal,
): Promise<TortureReport> {
  const { system } = tortured
  const startedAt = performance.now()
  const population = createPopulation({ devices: options.devices, seed: options.seed })
  const { writesLeast } = await system.simulators.exchangeState()
  const work = { mailboxes: population.mailboxes.length, writes: writesLeast }
  const dealing = startDealing(tortured, { ...options, ...work }, signal)
  const syncing = sync(system, options, true, signal)
  syncing.catch(() => {})
  // A fault that cannot be dealt ends the run at once.
  const first = await Promise.race([syncing, dealing.ended.then(() => syncing)])
  options.log(`First sync: ${first.run.status} in ${first.seconds.toFixed(1)} s; now a second one`)
  await dealing.hurry()
  const [second, faults] = await Promise.all([sync(system, options, false, signal), dealing.ended])
  const problems = [first, second].flatMap(({ run }, index) =>
    run.status === 'succeeded'
      ? []
      : [`sync ${index + 1} ended as ${run.status}: ${JSON.stringify(run.problem ?? run.counts)}`],
  )
  if (second.writes > 0) problems.push(`${second.writes} writes of the second sync`)
  problems.push(...listDefects(options.events))

  const ledger = await settle(system, options.log, signal)
  problems.push(...findLosses(ledger, population))
  return {
    faults,
    problems,
    figures: {
      mailboxes: population.mailboxes.length,
      writes: ledger.exchange.writes,
      mails: ledger.exchange.mails.length,
      wrong: ledger.exchange.wrong.count,
      firstSyncSeconds: first.seconds,
      secondSyncSeconds: second.seconds,
      secondSyncWrites: second.writes,
      seconds: Math.round((performance.now() - startedAt) / 1_000),
    },
  }
}

/** `hurry`: waits for the ends of all faults; or, when some are yet to be dealt, lets them fall into what comes next. */
function startDealing(
  tortured: TorturedSystem,
  options: TortureOptions & { mailboxes: number; writes: number },
  signal: AbortSignal,
): { ended: Promise<TortureReport['faults']>; hurry(): Promise<void> } {
  let isOver = false
  let left = options.plan.length
  const onDealt = (fault: DealtFault): void => {
    left -= 1
    options.log(describe(fault))
  }
  const ended = dealFaults(tortured, { ...options, onDealt, isOver: () => isOver }, signal).then((dealt) =>
    Promise.all(dealt.map(async (fault) => ({ ...fault, aftermath: await fault.aftermath }))),
  )
  ended.catch(() => {})
  return {
    ended,
    hurry: async () => {
      isOver = true
      if (left === 0) await ended
    },
  }
}

async function sync(system: System, options: TortureOptions, confirmed: boolean, signal: AbortSignal): Promise<MeasuredSync> {
  let told = Date.now()
  const onProgress = ({ counts }: { counts: Record<string, number> }): void => {
    if (Date.now() - told < 5_000) return
    told = Date.now()
    options.log(JSON.stringify(counts))
  }
  return await runMeasuredSync(system, { syncType: 'fullSync', confirmed, timeoutMs: options.limitMs, onProgress }, signal)
}

/** The queues run empty, then the workers stop: nothing may be left in hand, and no shell leased, after that. */
async function settle(system: System, log: (line: string) => void, signal: AbortSignal) {
  let filled = await readQueues(system)
  const deadline = Date.now() + QUIET_MS_MAX
  for (let quiet = 0; quiet < QUIET_POLLS && Date.now() < deadline; ) {
    await delay(QUIET_POLL_MS, undefined, { signal })
    filled = await readQueues(system)
    quiet = Object.keys(filled).every((name) => name.endsWith('.dead')) ? quiet + 1 : 0
  }
  log('Stopping the workers')
  await system.workers[Symbol.asyncDispose]()
  const queues = await readQueues(system)
  const leasesUntil = Date.now() + LEASES_MS_MAX
  for (;;) {
    const ledger = await readLedger(system, queues)
    if (ledger.store.leases === 0 || Date.now() > leasesUntil) return ledger
    await delay(QUIET_POLL_MS, undefined, { signal })
  }
}

/** We end workers by SIGKILL only: whatever ended otherwise ended by itself, by a defect. */
function listDefects(events: readonly WorkerEvent[]): string[] {
  return events
    .filter(({ kind, detail }) => kind === 'exited' && detail !== 'SIGKILL')
    .map(({ worker, detail }) => `${worker} ended by itself (${detail})`)
}

function describe({ kind, victim, at, dealtAt, effect }: DealtFault): string {
  return `at ${dealtAt.toFixed(3)} (planned ${at.toFixed(3)}): ${kind}, ${victim}: ${effect}`
}
