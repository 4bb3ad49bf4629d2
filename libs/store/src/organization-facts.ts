import { type Kysely, sql } from 'kysely'
import type { ConnectorStatus, Database, Row, SyncType } from './schema.ts'

/** How one organisation is, for those who watch over it. Ages are by PostgreSQL's clock. */
export type OrganizationFacts = {
  readonly organization_id: string
  readonly report_only: boolean
  readonly connector_status: ConnectorStatus | null
  /** Since the last sync of this type, or of more than that, succeeded; since the organisation was added while there is none. */
  readonly full_sync_age_s: number
  readonly delta_sync_age_s: number
  readonly held_runs: number
  /** Decided, and neither carried out nor given up; those of runs that failed wait for the next sync and are left out. */
  readonly decisions_waiting: number
  readonly oldest_decision_s: number
  /** Mailboxes whose last decision was given up. */
  readonly mailboxes_failed: number
  readonly notices_waiting: number
  readonly oldest_notice_s: number
  /** Of all its accounts. */
  readonly leases: number
  /** The newest run of each type. */
  readonly last_runs: readonly {
    readonly sync_type: SyncType
    readonly status: Row<'sync_runs'>['status']
    /** Until its end, or until now. */
    readonly took_s: number
  }[]
}

/** Facts that nobody reads in time are not worth holding up the database for. */
const STATEMENT_MS_MAX = 5_000

/** All organisations. One statement; the largest table in it is read as far as decisions go, a row for each mailbox. */
export async function readOrganizationFacts(db: Kysely<Database>): Promise<OrganizationFacts[]> {
  return await db.transaction().execute(async (transaction) => {
    await sql`set local statement_timeout = ${sql.lit(STATEMENT_MS_MAX)}`.execute(transaction)
    const { rows } = await sql<OrganizationFacts>`
    with moment as (select clock_timestamp() as now), decided as (
      select d.organization_id, d.decided_at, e.outcome,
        (e.decision_version is null or e.decision_version < d.decision_version) and r.status is distinct from 'failed' as is_waiting
      from mailbox_decisions d
      left join mailbox_enforcements e on e.mailbox_id = d.mailbox_id
      left join sync_runs r on r.id = d.sync_run_id
    ), decisions_of as (
      select organization_id, count(*) filter (where is_waiting)::int as waiting,
        min(decided_at) filter (where is_waiting) as oldest_at,
        count(*) filter (where outcome = 'failed')::int as failed
      from decided group by organization_id
    ), leases_of as (
      select split_part(account, ':', 1) as organization_id, count(*)::int as leases
      from runspace_leases where expires_at > (select now from moment) group by 1
    )
    select o.id as organization_id, o.report_only, c.status as connector_status,
      extract(epoch from now - coalesce(c.last_full_sync_at, o.created_at))::float8 as full_sync_age_s,
      extract(epoch from now - coalesce(greatest(c.last_delta_sync_at, c.last_full_sync_at), o.created_at))::float8 as delta_sync_age_s,
      (select count(*)::int from sync_runs where organization_id = o.id and status = 'held') as held_runs,
      coalesce(d.waiting, 0) as decisions_waiting,
      coalesce(extract(epoch from now - d.oldest_at), 0)::float8 as oldest_decision_s,
      coalesce(d.failed, 0) as mailboxes_failed,
      n.waiting as notices_waiting, coalesce(extract(epoch from now - n.oldest_at), 0)::float8 as oldest_notice_s,
      coalesce(l.leases, 0) as leases,
      (select coalesce(json_agg(json_build_object('sync_type', r.sync_type, 'status', r.status, 'took_s',
           extract(epoch from coalesce(r.finished_at, now) - r.started_at))), '[]')
         from (values ('fullSync'), ('deltaSync')) as types(sync_type)
         cross join lateral (select * from sync_runs where organization_id = o.id and sync_type = types.sync_type
           order by started_at desc limit 1) r) as last_runs
    from organizations o
    cross join moment
    left join connectors c on c.organization_id = o.id
    left join decisions_of d on d.organization_id = o.id
    left join leases_of l on l.organization_id = o.id::text
    cross join lateral (
      -- Each half by the index on organization_id and sent_at: what was sent long ago costs nothing.
      select count(*)::int as waiting, min(created_at) as oldest_at from (
        select created_at from notices where organization_id = o.id and sent_at is null and state = 'pending'
        union all
        select created_at from notices where organization_id = o.id and state = 'sending' and sent_at > now - interval '7 days') w
    ) n`.execute(transaction)
    return rows
  })
}

export type AccessStateCount = { readonly organization_id: string; readonly access_state: string; readonly devices: number }

/** How many devices have each access state, as Exchange last said. Reads every partnership: not for every few seconds. */
export async function countAccessStates(db: Kysely<Database>): Promise<AccessStateCount[]> {
  const { rows } = await sql<AccessStateCount>`
    select organization_id, lower(device_access_state) as access_state, count(*)::int as devices
    from device_partnerships where vanished_at is null group by 1, 2 limit 1000`.execute(db)
  return rows
}
