import { setTimeout as delay } from 'node:timers/promises'
import { sql } from 'kysely'
import type { ProxiedConnection } from '../../environment/cuttable-proxy.ts'
import type { Fault } from './plan-faults.ts'
import type { TorturedSystem } from './start-tortured-system.ts'

export type DealtFault = Fault & {
  /** How far the first sync had come when it was dealt. */
  readonly dealtAt: number
  readonly effect: string
  /** What became of it; its rejection says what did not end. */
  readonly aftermath: Promise<string>
}

type Dealt = Pick<DealtFault, 'effect'> & { readonly aftermath?: Promise<string> }

export type DealOptions = {
  readonly plan: readonly Fault[]
  /** What the first sync has to do. */
  readonly mailboxes: number
  readonly writes: number
  /** The first sync has ended: what is left is due at once. */
  readonly isOver: () => boolean
  readonly onDealt: (fault: DealtFault) => void
}

const POLL_MS = 50
/** A killed worker waits for its dependencies too, when those were struck as well. */
const FAULT_MS_MAX = 120_000

/** Deals the plan, each fault when its share of the writes is done; rejects when one cannot be dealt within its limit. */
export async function dealFaults(tortured: TorturedSystem, options: DealOptions, signal: AbortSignal): Promise<DealtFault[]> {
  const dealt: DealtFault[] = []
  for (const fault of options.plan) {
    const dealtAt = await whenProgressed(tortured, fault.at, options, signal)
    const limit = AbortSignal.any([signal, AbortSignal.timeout(FAULT_MS_MAX)])
    const what = `${fault.kind} of ${fault.victim} at ${fault.at}`
    const { effect, aftermath } = await within(limit, `${what} was not dealt`, deal(fault, tortured, limit))
    const one = {
      ...fault,
      dealtAt,
      effect,
      aftermath: within(limit, `${what} did not end`, aftermath ?? Promise.resolve('')),
    }
    one.aftermath.catch(() => {})
    dealt.push(one)
    options.onDealt(one)
  }
  return dealt
}

/** Deciding is a fifth of the way, writing the rest; counted where both are stored, past the proxy. */
async function whenProgressed(
  { system }: TorturedSystem,
  wanted: number,
  all: Pick<DealOptions, 'mailboxes' | 'writes' | 'isOver'>,
  signal: AbortSignal,
): Promise<number> {
  for (;;) {
    const { rows } = await sql<{ decided: number; written: number }>`
      select (select count(*)::int from mailbox_decisions) as decided,
        (select count(*)::int from access_changes where written_at is not null) as written`.execute(system.store.db)
    const { decided, written } = rows[0] ?? { decided: 0, written: 0 }
    const progress = Math.min(1, decided / all.mailboxes) * 0.2 + Math.min(1, written / all.writes) * 0.8
    if (progress >= wanted || all.isOver()) return Math.round(progress * 1_000) / 1_000
    await delay(POLL_MS, undefined, { signal })
  }
}

async function within<T>(limit: AbortSignal, what: string, work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    if (limit.aborted) throw new Error(`${what} within ${FAULT_MS_MAX / 1_000} s`, { cause: error })
    throw error
  }
}

async function deal(fault: Fault, tortured: TorturedSystem, signal: AbortSignal): Promise<Dealt> {
  switch (fault.kind) {
    case 'worker-killed':
      return await killWorker(fault, tortured, signal)
    case 'worker-frozen':
      return await freezeWorker(fault, tortured, signal)
    case 'broker-killed':
    case 'broker-restarted':
      return await restartBroker(fault, tortured)
    case 'broker-reset':
    case 'database-reset':
      return reset(fault, tortured)
    case 'broker-half-open':
    case 'database-half-open':
      return forget(fault, tortured, signal)
    case 'database-away':
      return hideDatabase(fault, tortured, signal)
    case 'database-terminated':
      return await terminateSessions(tortured)
    default: {
      const never: never = fault.kind
      return never
    }
  }
}

async function killWorker({ victim }: Fault, { system }: TorturedSystem, signal: AbortSignal): Promise<Dealt> {
  const pid = await whenRunning(system, victim, undefined, signal)
  const startedAt = performance.now()
  await system.workers.crash(victim)
  const aftermath = whenRunning(system, victim, pid, signal).then(() => `back after ${secondsSince(startedAt)} s`)
  return { effect: `process ${pid} killed`, aftermath }
}

/** A stopped process answers no heartbeat, as one whose event loop is blocked. */
async function freezeWorker({ victim, forMs = 0 }: Fault, { system }: TorturedSystem, signal: AbortSignal): Promise<Dealt> {
  const pid = await whenRunning(system, victim, undefined, signal)
  process.kill(pid, 'SIGSTOP')
  const aftermath = delay(forMs, undefined, { signal }).finally(() => {
    // It may have been killed meanwhile; its number is not given away so soon.
    if (system.workers.running.get(victim)?.pid === pid) process.kill(pid, 'SIGCONT')
  })
  return { effect: `process ${pid} stopped`, aftermath: aftermath.then(() => `continued after ${forMs / 1_000} s`) }
}

async function whenRunning(
  { workers }: TorturedSystem['system'],
  worker: string,
  before: number | undefined,
  signal: AbortSignal,
): Promise<number> {
  for (;;) {
    const pid = workers.running.get(worker)?.pid
    if (pid !== undefined && pid !== before) return pid
    await delay(POLL_MS, undefined, { signal })
  }
}

async function restartBroker({ kind }: Fault, { system }: TorturedSystem): Promise<Dealt> {
  const restart = system.parts.broker?.restart
  if (restart === undefined) throw new Error('The broker is not ours to restart: leave GATEHOUSE_AMQP_URL out')
  const startedAt = performance.now()
  await restart({ kill: kind === 'broker-killed' })
  return { effect: `away for ${secondsSince(startedAt)} s` }
}

/** Those of the victim; where it has none just now, everybody's, so that no fault strikes nobody. */
function connectionsOf({ kind, victim }: Fault, { proxies }: TorturedSystem): { struck: ProxiedConnection[]; whose: string } {
  const { connections } = kind.startsWith('broker') ? proxies.broker : proxies.database
  const struck = connections.filter(({ name }) => name.startsWith(`gatehouse-${victim}`))
  return struck.length > 0 ? { struck, whose: victim } : { struck: [...connections], whose: 'all' }
}

function reset(fault: Fault, tortured: TorturedSystem): Dealt {
  const { struck, whose } = connectionsOf(fault, tortured)
  for (const connection of struck) connection.reset()
  return { effect: `${struck.length} connections of ${whose} reset` }
}

function forget(fault: Fault, tortured: TorturedSystem, signal: AbortSignal): Dealt {
  const { struck, whose } = connectionsOf(fault, tortured)
  const { direction = 'both', forMs } = fault
  for (const connection of struck) connection.forget(direction)
  const effect = `${struck.length} connections of ${whose} dead (${direction})`
  // Those that their clients have closed meanwhile may stay for the server for as long as it likes.
  if (forMs === undefined) return { effect, aftermath: Promise.resolve('left') }
  const aftermath = delay(forMs, undefined, { signal }).then(() => {
    for (const connection of struck) connection.reset()
    return `reset after ${forMs / 1_000} s`
  })
  return { effect, aftermath }
}

/** A failover: all connections are cut, and nobody gets a new one for a while. */
function hideDatabase({ forMs = 0 }: Fault, { proxies }: TorturedSystem, signal: AbortSignal): Dealt {
  const { database } = proxies
  database.refuse(true)
  database.cut()
  const aftermath = delay(forMs, undefined, { signal }).finally(() => database.refuse(false))
  return { effect: 'out of reach', aftermath: aftermath.then(() => `back after ${forMs / 1_000} s`) }
}

async function terminateSessions({ system }: TorturedSystem): Promise<Dealt> {
  const { rows } = await sql<{ n: number }>`
    select count(pg_terminate_backend(pid))::int as n from pg_stat_activity
    where datname = current_database() and application_name like 'gatehouse-%' and application_name <> 'gatehouse-cli'`.execute(
    system.store.db,
  )
  return { effect: `${rows[0]?.n ?? 0} sessions ended` }
}

function secondsSince(startedAt: number): string {
  return ((performance.now() - startedAt) / 1_000).toFixed(1)
}
