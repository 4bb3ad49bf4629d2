import type { AccessStateCount, OrganizationFacts, SyncType } from '@gatehouse/store'
import { Gauge, type Registry } from '@gatehouse/worker'

/** What control has read of the organisations, and when. */
export type FactsRead = {
  readonly atMs: number
  readonly facts: readonly OrganizationFacts[]
  readonly accessStates: readonly AccessStateCount[]
}

export type MeasuredOrganization = { readonly id: string; readonly name: string; readonly leasesMax: number }

export type OrganizationMetricsOptions = {
  readonly organizations: readonly MeasuredOrganization[]
  readonly intervals: Readonly<Record<SyncType, number>>
  readonly read: () => FactsRead | undefined
  readonly nowMs: () => number
}

/** `facts` undefined: not read yet, or not stored. `sinceReadS`: what has to be added to an age. */
type Reading = MeasuredOrganization & { facts: OrganizationFacts | undefined; sinceReadS: number }

const SYNC_TYPES = ['fullSync', 'deltaSync'] as const
const CONNECTOR_STATUSES = ['none', 'connectionPending', 'connected', 'disconnected'] as const
const RUN_STATUSES = ['running', 'held', 'succeeded', 'failed'] as const
/** Exchange's DeviceAccessState, in lower case; anything else is `other`. */
const ACCESS_STATES = ['allowed', 'blocked', 'quarantined', 'devicediscovery', 'other'] as const

/**
 * How each organisation is, from what control has read last; ages go on while the database cannot be read. Every series is there
 * from the start, except ages that are not known yet.
 */
export function createOrganizationMetrics(registry: Registry, options: OrganizationMetricsOptions): void {
  const { nowMs } = options
  const startedMs = nowMs()
  const readAll = (): Reading[] => {
    const last = options.read()
    const sinceReadS = last === undefined ? 0 : (nowMs() - last.atMs) / 1_000
    const byId = new Map(last?.facts.map((facts) => [facts.organization_id, facts]))
    return options.organizations.map((one) => ({ ...one, facts: byId.get(one.id), sinceReadS }))
  }
  createFigures(registry, readAll)
  createSyncGauges(registry, readAll, options.intervals)
  createStateGauges(registry, readAll, () => options.read()?.accessStates ?? [])
  new Gauge({
    name: 'gatehouse_facts_age_seconds',
    help: 'Since control last read the figures of the organisations from the database, which it does every 30 s',
    registers: [registry],
    collect() {
      this.set((nowMs() - (options.read()?.atMs ?? startedMs)) / 1_000)
    },
  })
}

type Figure = readonly [name: string, help: string, read: (reading: Reading) => number]

const ageOf = ({ sinceReadS }: Reading, age: number | undefined): number => (age ? age + sinceReadS : 0)

const FIGURES: readonly Figure[] = [
  [
    'gatehouse_report_only',
    '1 while the organisation is in report-only mode: nothing is written, nobody is mailed',
    ({ facts }) => Number(facts?.report_only ?? 0),
  ],
  ['gatehouse_sync_runs_held', 'Sync runs that the brake holds until they are confirmed', ({ facts }) => facts?.held_runs ?? 0],
  [
    'gatehouse_decisions_waiting',
    'Mailboxes whose decision is neither carried out nor given up',
    ({ facts }) => facts?.decisions_waiting ?? 0,
  ],
  [
    'gatehouse_oldest_decision_seconds',
    'Age of the oldest of them; 0 when there is none',
    (reading) => ageOf(reading, reading.facts?.oldest_decision_s),
  ],
  ['gatehouse_mailboxes_failed', 'Mailboxes whose last decision was given up', ({ facts }) => facts?.mailboxes_failed ?? 0],
  ['gatehouse_notices_waiting', 'Notices that are to be sent', ({ facts }) => facts?.notices_waiting ?? 0],
  [
    'gatehouse_oldest_notice_seconds',
    'Age of the oldest of them; 0 when there is none',
    (reading) => ageOf(reading, reading.facts?.oldest_notice_s),
  ],
  ['gatehouse_runspace_leases', 'Shells in use by all copies of all workers, as leased', ({ facts }) => facts?.leases ?? 0],
  [
    'gatehouse_runspace_leases_limit',
    'Shells that the account may have: exchange.shellsPerAccountMax',
    ({ leasesMax }) => leasesMax,
  ],
]

function createFigures(registry: Registry, readAll: () => readonly Reading[]): void {
  for (const [name, help, read] of FIGURES)
    new Gauge({
      name,
      help,
      labelNames: ['organization'],
      registers: [registry],
      collect() {
        for (const reading of readAll()) this.set({ organization: reading.name }, read(reading))
      },
    })
}

function createSyncGauges(
  registry: Registry,
  readAll: () => readonly Reading[],
  intervals: OrganizationMetricsOptions['intervals'],
): void {
  const registers = [registry]
  new Gauge({
    name: 'gatehouse_sync_age_seconds',
    help: 'Since a sync of this type succeeded (a full one does what a quick one does); since the organisation was added while none has',
    labelNames: ['organization', 'sync_type'],
    registers,
    collect() {
      for (const { name: organization, facts, sinceReadS } of readAll()) {
        if (facts === undefined) continue
        this.set({ organization, sync_type: 'fullSync' }, facts.full_sync_age_s + sinceReadS)
        this.set({ organization, sync_type: 'deltaSync' }, facts.delta_sync_age_s + sinceReadS)
      }
    },
  })
  const interval = new Gauge({
    name: 'gatehouse_sync_interval_seconds',
    help: 'The longest time between two syncs that the schedule intends; 0 when nothing is scheduled',
    labelNames: ['sync_type'],
    registers,
  })
  for (const type of SYNC_TYPES) interval.set({ sync_type: type }, intervals[type])
  new Gauge({
    name: 'gatehouse_sync_last_run_seconds',
    help: 'How long the newest run of this type took, or takes so far; 0 when there was none',
    labelNames: ['organization', 'sync_type'],
    registers,
    collect() {
      for (const { name: organization, facts } of readAll())
        for (const type of SYNC_TYPES) {
          const run = facts?.last_runs.find((one) => one.sync_type === type)
          this.set({ organization, sync_type: type }, run?.took_s ?? 0)
        }
    },
  })
}

function createStateGauges(
  registry: Registry,
  readAll: () => readonly Reading[],
  readAccessStates: () => readonly AccessStateCount[],
): void {
  const registers = [registry]
  new Gauge({
    name: 'gatehouse_connector_status',
    help: '1 for the status that the connector has',
    labelNames: ['organization', 'status'],
    registers,
    collect() {
      for (const { name: organization, facts } of readAll()) {
        const current = facts?.connector_status ?? 'none'
        for (const status of CONNECTOR_STATUSES) this.set({ organization, status }, Number(status === current))
      }
    },
  })
  new Gauge({
    name: 'gatehouse_sync_last_run_status',
    help: '1 for the status of the newest run of this type',
    labelNames: ['organization', 'sync_type', 'status'],
    registers,
    collect() {
      for (const { name: organization, facts } of readAll())
        for (const type of SYNC_TYPES) {
          const run = facts?.last_runs.find((one) => one.sync_type === type)
          for (const status of RUN_STATUSES) this.set({ organization, sync_type: type, status }, Number(run?.status === status))
        }
    },
  })
  new Gauge({
    name: 'gatehouse_devices',
    help: 'Devices by their access state in Exchange at the last sync, counted every 5 min',
    labelNames: ['organization', 'access_state'],
    registers,
    collect() {
      for (const { id, name: organization } of readAll()) {
        for (const state of ACCESS_STATES) this.set({ organization, access_state: state }, 0)
        for (const { organization_id, access_state, devices } of readAccessStates()) {
          const known = ACCESS_STATES.find((state) => state === access_state) ?? 'other'
          if (organization_id === id) this.inc({ organization, access_state: known }, devices)
        }
      }
    },
  })
}
