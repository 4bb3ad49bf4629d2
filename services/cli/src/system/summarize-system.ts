import { sql } from 'kysely'
import { readPeakMemoryMiB } from './read-peak-memory.ts'
import type { MeasuredSync } from './run-measured-sync.ts'
import type { SystemView } from './start-system.ts'

/** The one object that `gatehouse demo --json` prints. */
export type DemoSummary = {
  devices: number
  mailboxes: number
  decisions: { byAccess: Record<string, number>; byReason: Record<string, number> }
  cmdlets: Record<string, number>
  cmdletsLeast: number
  cmdletsSent: number
  graphRequests: number
  graphRequestsLeast: number
  mails: number
  mailsTwice: number
  runspaces: number
  mostShells: number
  syncSeconds: number
  idealSeconds: number
  ratio: number
  writes: number
  secondSync: { writes: number; seconds: number }
  peakMemoryMiB: Record<string, number>
  deadLetters: number
  seed: number
  wrong: number
  wrongSamples: unknown[]
}

export type FirstSyncFigures = { cmdlets: Record<string, number>; graphRequests: number }

/** What the simulators counted up to now: taken after the first sync, so that the second does not blur its figures. */
export async function readFirstSyncFigures(system: SystemView): Promise<FirstSyncFigures> {
  const [exchange, microsoft] = await Promise.all([system.simulators.exchangeState(), system.simulators.microsoftState()])
  return { cmdlets: exchange.cmdlets, graphRequests: microsoft.graphRequests }
}

/** Reads the end state from where it counts: Exchange as the simulator holds it, the store, the dead queues. */
export async function summarizeSystem(
  system: SystemView,
  figures: {
    first: MeasuredSync
    firstFigures: FirstSyncFigures
    second: MeasuredSync
    runspaces: number
    latencyMs: number
    seed: number
  },
): Promise<DemoSummary> {
  const { first, firstFigures, second, runspaces } = figures
  const [exchange, microsoft, decisions, counts, deadLetters, peakMemoryMiB] = await Promise.all([
    system.simulators.exchangeState(),
    system.simulators.microsoftState(),
    readDecisions(system),
    readCounts(system),
    countDeadLetters(system),
    readMemory(system),
  ])
  const idealSeconds = (first.writes * figures.latencyMs) / 1000 / runspaces
  return {
    ...counts,
    decisions,
    cmdlets: firstFigures.cmdlets,
    cmdletsSent: sum(firstFigures.cmdlets),
    cmdletsLeast: leastCmdlets(exchange.writesLeast, exchange.mostShells),
    graphRequests: firstFigures.graphRequests,
    graphRequestsLeast: microsoft.graphRequestsLeast,
    mails: exchange.mailCount,
    mailsTwice: exchange.mailsTwice.length,
    runspaces,
    mostShells: exchange.mostShells,
    syncSeconds: round(first.seconds),
    idealSeconds: round(idealSeconds),
    ratio: round(idealSeconds === 0 ? 0 : first.seconds / idealSeconds),
    writes: first.writes,
    secondSync: { writes: second.writes, seconds: round(second.seconds) },
    peakMemoryMiB,
    deadLetters,
    seed: figures.seed,
    wrong: exchange.wrong.count,
    wrongSamples: exchange.wrong.samples,
  }
}

/** The bulk reads of one full sync: one cmdlet each, however many devices there are. */
const BULK_READS = [
  'Get-MobileDevice',
  'Get-CASMailbox',
  'Get-ExchangeServer',
  'Get-ActiveSyncOrganizationSettings',
  'Get-ActiveSyncDeviceAccessRule',
  'Get-ActiveSyncDeviceClass',
  'Get-MobileDeviceMailboxPolicy',
] as const

/**
 * One write for each mailbox whose lists are not yet right, one bulk read of each kind, one preflight for each of the two
 * workers that speak to Exchange, and Set-ADServerSettings once in every shell.
 */
function leastCmdlets(writesLeast: number, shells: number): number {
  return writesLeast + BULK_READS.length + 2 + shells
}

async function readDecisions(system: SystemView): Promise<DemoSummary['decisions']> {
  const { rows } = await sql<{ access: string; reason: string; n: number }>`
    select access, reason, count(*)::int as n from decisions group by access, reason order by access, reason`.execute(
    system.store.db,
  )
  const byAccess: Record<string, number> = {}
  const byReason: Record<string, number> = {}
  for (const { access, reason, n } of rows) {
    byAccess[access] = (byAccess[access] ?? 0) + n
    byReason[reason] = (byReason[reason] ?? 0) + n
  }
  return { byAccess, byReason }
}

async function readCounts(system: SystemView): Promise<{ devices: number; mailboxes: number }> {
  const { rows } = await sql<{ devices: number; mailboxes: number }>`
    select (select count(*)::int from device_partnerships where vanished_at is null) as devices,
           (select count(*)::int from mailboxes where vanished_at is null) as mailboxes`.execute(system.store.db)
  return rows[0] ?? { devices: 0, mailboxes: 0 }
}

async function countDeadLetters(system: SystemView): Promise<number> {
  const answer = (await system.control.get('/api/deadLetters', { top: 1_000 })) as { value: unknown[] }
  return answer.value.length
}

async function readMemory(system: SystemView): Promise<Record<string, number>> {
  const peaks: Record<string, number> = {}
  for (const [name, worker] of system.workers.running) {
    const peak = await readPeakMemoryMiB(worker.pid)
    if (peak !== undefined) peaks[name] = peak
  }
  return peaks
}

function sum(counts: Record<string, number>): number {
  return Object.values(counts).reduce((total, count) => total + count, 0)
}

function round(value: number): number {
  return Math.round(value * 1000) / 1000
}
