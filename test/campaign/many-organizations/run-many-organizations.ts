import type { WorkerName } from '@gatehouse/cli/system'
import type { ServedExchange } from '@gatehouse/simulators'
import { organizationIdOf } from '@gatehouse/worker'
import { sql } from 'kysely'
import { readMachineUsage } from '../../environment/process-usage.ts'
import type { Check } from '../backpressure/judge-backpressure.ts'
import { startQueueReader } from '../backpressure/queue-reader.ts'
import {
  type Bounds,
  checkOrganizations,
  type ExchangeState,
  figuresOf,
  nameLimit,
  type OrganizationFigures,
  type RunFacts,
  round,
} from './judge-organizations.ts'
import { planOrganizations } from './plan-organizations.ts'
import { type Fleet, startFleet } from './start-fleet.ts'
import { readUsage, type Watched, type WorkerFigures, watchFleet } from './watch-fleet.ts'
import { RUNSPACES, SHELLS_MAX } from './write-settings.ts'

export type ManyOrganizationsOptions = {
  readonly organizations: number
  readonly devices: number
  readonly latencyMs: number
  readonly copies: Partial<Record<WorkerName, number>>
  readonly timeoutSeconds: number
  readonly seed: number
  readonly env: Record<string, string | undefined>
  readonly log: (line: string) => void
}

export type ManyOrganizationsReport = {
  campaign: 'many-organizations'
  organizations: number
  devices: number
  mailboxes: number
  latencyMs: number
  copies: Partial<Record<WorkerName, number>>
  totalSeconds: number
  writes: number
  writesPerSecond: number
  graphRequests: number
  graphRequestsLeast: number
  machineBusyPercent: number
  limit: string
  workers: WorkerFigures[]
  queues: Record<string, number>
  databaseMiB: number
  /** Of the tables that grow with the devices. */
  bytesPerDevice: Record<string, number>
  perOrganization: OrganizationFigures[]
  checks: Check[]
}

/** Memory of one worker; the budget of a single organisation is 150 MiB. */
const MEMORY_MIB_MAX = 400
const GRACE_SECONDS = 30
/** A queue takes what its publishers have on the way when it becomes full. */
const INBOX_MAX = 50_000 + 1_000

/** A full sync of every organisation at once, one of whose Exchanges is dead until half of the others' work is done. */
export async function runManyOrganizations(
  options: ManyOrganizationsOptions,
  signal: AbortSignal,
): Promise<ManyOrganizationsReport> {
  const { log } = options
  const organizations = planOrganizations(options)
  const dead = organizations[Math.floor(organizations.length / 2)]?.name ?? ''
  await using fleet = await startFleet(
    {
      ...options,
      organizations,
      onWorkerEvent: (event) => log(`${event.worker}: ${event.kind} ${event.detail ?? ''}`),
      beforeWorkers: (exchanges) => setReachable(exchanges, dead, false),
    },
    signal,
  )
  await using reader = await startQueueReader(fleet)
  const before = await Promise.all([readUsage(fleet), readMachineUsage(), readStates(fleet)])
  const livingWrites = fleet.exchanges.reduce(
    (sum, { name }, index) => sum + (name === dead ? 0 : (before[2][index]?.writesLeast ?? 0)),
    0,
  )
  log(`${livingWrites} mailboxes are to be written; the Exchange of ${dead} is dead until half of them are`)
  const startedMs = Date.now()
  await fleet.control.post('/api/syncs', { syncType: 'fullSync', confirmed: true })
  let isRevived = false
  const watched = await watchFleet(
    fleet,
    reader,
    {
      log,
      timeoutMs: options.timeoutSeconds * 1_000,
      onWrites: async (writes) => {
        if (isRevived || writes < livingWrites / 2) return
        isRevived = true
        log(`The Exchange of ${dead} is back`)
        await setReachable(fleet.exchanges, dead, true)
      },
    },
    signal,
  )
  return await report({ fleet, options, dead, startedMs, watched, before: { usage: before[0], machine: before[1] } })
}

type Ended = {
  fleet: Fleet
  options: ManyOrganizationsOptions
  dead: string
  startedMs: number
  watched: Watched
  before: { usage: WorkerFigures[]; machine: Awaited<ReturnType<typeof readMachineUsage>> }
}

async function report({ fleet, options, dead, startedMs, watched, before }: Ended): Promise<ManyOrganizationsReport> {
  const endedMs = Date.now()
  const [usage, machine] = await Promise.all([readUsage(fleet), readMachineUsage()])
  const [states, runs, microsoft, databaseMiB, bytesPerDevice, letters] = await Promise.all([
    readStates(fleet),
    readRuns(fleet),
    readJson<{ graphRequests: number; graphRequestsLeast: number }>(`${fleet.microsoftUrl}/__simulator/state`),
    readDatabaseMiB(fleet),
    readBytesPerDevice(fleet, options.devices),
    fleet.control.get('/api/deadLetters', { top: 1 }) as Promise<{ total: number }>,
  ])
  const bounds: Bounds = {
    runspaces: RUNSPACES,
    shellsMax: SHELLS_MAX,
    latencyMs: options.latencyMs,
    graceSeconds: GRACE_SECONDS,
  }
  const figures = fleet.exchanges.map((exchange, index) =>
    figuresOf(exchange, {
      state: states[index] as ExchangeState,
      run: runs.get(organizationIdOf(exchange.name)),
      startedMs,
      wasDead: exchange.name === dead,
      bounds,
    }),
  )
  const totalSeconds = (endedMs - startedMs) / 1_000
  const writes = figures.reduce((sum, one) => sum + one.writes, 0)
  const busy = machine.busySeconds - before.machine.busySeconds
  const machineBusy = busy / Math.max(1, busy + machine.idleSeconds - before.machine.idleSeconds)
  const workers = usage.map((one) => {
    const began = before.usage.find(({ worker }) => worker === one.worker)?.cpuSeconds ?? 0
    return { ...one, cpuSeconds: round(one.cpuSeconds - began) }
  })
  const queues = Object.fromEntries([...watched.deepest].filter(([, depth]) => depth > 0))
  return {
    campaign: 'many-organizations',
    organizations: figures.length,
    devices: options.devices,
    mailboxes: figures.reduce((sum, one) => sum + one.mailboxes, 0),
    latencyMs: options.latencyMs,
    copies: options.copies,
    totalSeconds: round(totalSeconds),
    writes,
    writesPerSecond: round(writes / totalSeconds),
    graphRequests: microsoft.graphRequests,
    graphRequestsLeast: microsoft.graphRequestsLeast,
    machineBusyPercent: Math.round(machineBusy * 100),
    limit: nameLimit({ machineBusy, largest: figures[0] as OrganizationFigures, totalSeconds }),
    workers,
    queues,
    databaseMiB,
    bytesPerDevice,
    perOrganization: figures,
    checks: [
      { check: 'everything ended in time', isSo: watched.isOver, seen: `${round(totalSeconds)} s` },
      ...checkOrganizations(figures, bounds),
      { check: 'no message died', isSo: letters.total === 0, seen: String(letters.total) },
      {
        check: 'Graph was read once for all organisations',
        isSo: microsoft.graphRequests <= microsoft.graphRequestsLeast * 2,
        seen: `${microsoft.graphRequests} requests, least possible ${microsoft.graphRequestsLeast}`,
      },
      checkQueues(queues),
      checkMemory(workers),
    ],
  }
}

function checkQueues(queues: Record<string, number>): Check {
  const isInbox = (queue: string) => !/\.(due|dead)$|^gh\.retry\./.test(queue)
  const over = Object.entries(queues).filter(([queue, depth]) => isInbox(queue) && depth > INBOX_MAX)
  const seen = over.map(([queue, depth]) => `${queue} ${depth}`).join(', ')
  return {
    check: 'every inbox was bounded',
    isSo: over.length === 0,
    seen: seen || `${Object.keys(queues).length} queues in use`,
  }
}

function checkMemory(workers: readonly WorkerFigures[]): Check {
  const ours = workers.filter(({ worker }) => !worker.startsWith('('))
  const over = ours.filter(({ peakMiB }) => peakMiB > MEMORY_MIB_MAX)
  const seen = (over.length > 0 ? over : ours).map(({ worker, peakMiB }) => `${worker} ${peakMiB}`).join(', ')
  return { check: `no worker held more than ${MEMORY_MIB_MAX} MiB`, isSo: over.length === 0, seen }
}

async function readStates({ exchanges }: Fleet): Promise<ExchangeState[]> {
  return await Promise.all(exchanges.map(({ simulatorUrl }) => readJson<ExchangeState>(`${simulatorUrl}/state?brief`)))
}

async function readRuns({ store }: Fleet): Promise<Map<string, RunFacts>> {
  const { rows } = await sql<RunFacts & { id: string }>`
    select distinct on (run.organization_id) run.organization_id as id, run.status,
      (select max(decided_at) from mailbox_decisions where sync_run_id = run.id) as "decidedAt",
      (select max(written_at) from access_changes where sync_run_id = run.id) as "writtenAt"
    from sync_runs run order by run.organization_id, run.started_at desc`.execute(store.db)
  return new Map(rows.map(({ id, ...facts }) => [id, facts]))
}

async function readDatabaseMiB({ store }: Fleet): Promise<number> {
  const { rows } = await sql<{ size: number }>`select pg_database_size(current_database()) as size`.execute(store.db)
  return Math.round((rows[0]?.size ?? 0) / 1_048_576)
}

/** Indexes and what is too long for a row included. */
async function readBytesPerDevice({ store }: Fleet, devices: number): Promise<Record<string, number>> {
  const { rows } = await sql<{ name: string; bytes: number }>`
    select relname as name, pg_total_relation_size(relid) as bytes from pg_stat_user_tables order by 2 desc`.execute(store.db)
  const perDevice = rows.map(({ name, bytes }) => [name, Math.round(bytes / devices)] as const)
  return Object.fromEntries(perDevice.filter(([, bytes]) => bytes > 0))
}

async function setReachable(exchanges: readonly ServedExchange[], name: string, isReachable: boolean): Promise<void> {
  const exchange = exchanges.find((one) => one.name === name)
  const faults = isReachable ? {} : { exchange: { unreachable: true } }
  const answer = await fetch(`${exchange?.simulatorUrl}/faults`, { method: 'POST', body: JSON.stringify(faults) })
  if (!answer.ok) throw new Error(`The simulator answered ${answer.status}: ${await answer.text()}`)
  await answer.body?.cancel()
}

async function readJson<T>(url: string): Promise<T> {
  return (await (await fetch(url)).json()) as T
}
