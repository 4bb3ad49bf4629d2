import type { Store } from './create-database.ts'
import type { AccessChangePlan, BrakeState, ProblemJson, Row } from './schema.ts'

/** An open change of a mailbox. Durations are by PostgreSQL's clock. */
export type OpenChange = {
  id: string
  state: 'announced' | 'writing' | 'written'
  plan: AccessChangePlan
  decision_version: number
  /** Written before the mailbox was last observed: that read must show it. false: it lies over what was read. */
  is_before_observation: boolean
  announced_ms: number | null
  notice_state: Row<'notices'>['state'] | null
}

/** Both sides of one mailbox, read at one moment: what is wanted, what Exchange has, and what stands in between. */
export type MailboxToEnforce = {
  is_vanished: boolean
  allowed_device_ids: string[]
  blocked_device_ids: string[]
  report_only: boolean | null
  epoch: number | null
  brake: BrakeState | null
  decision_version: number | null
  enforced_version: number | null
  enforced_outcome: Row<'mailbox_enforcements'>['outcome'] | null
  /** One per live partnership; `exemption` null: not decided yet. */
  devices: { deviceId: string; exemption: 'allow' | 'block' | 'none' | null }[]
  /** `isFresh`: written so recently that a lagging directory may not show it yet. */
  own: { key: string; list: 'allow' | 'block'; isFresh: boolean }[]
  /** Oldest first; the `writing` ones are uncertain. */
  changes: OpenChange[]
  last_reported_plan: AccessChangePlan | null
}

/** Named, so that PostgreSQL plans it once per connection: this runs for every mailbox of a sync. */
const READ = {
  name: 'read-mailbox-to-enforce',
  text: `select m.vanished_at is not null as is_vanished, m.allowed_device_ids, m.blocked_device_ids,
      o.report_only, c.epoch, r.brake, md.decision_version,
      me.decision_version as enforced_version, me.outcome as enforced_outcome,
      (select coalesce(json_agg(json_build_object('deviceId', p.device_id, 'exemption', d.exemption)), '[]')
         from device_partnerships p left join decisions d on d.partnership_id = p.id
         where p.mailbox_id = m.id and p.vanished_at is null) as devices,
      (select coalesce(json_agg(json_build_object('key', e.device_id_key, 'list', e.list,
           'isFresh', e.created_at > m.observed_at - interval '1 hour')), '[]')
         from own_exemptions e where e.mailbox_id = m.id) as own,
      (select coalesce(json_agg(json_build_object('id', a.id, 'state', a.state, 'plan', a.plan,
           'decision_version', a.decision_version,
           'is_before_observation', coalesce(a.written_at < m.observed_at, false),
           'announced_ms', extract(epoch from clock_timestamp() - a.announced_at) * 1000,
           'notice_state', (select n.state from notices n where n.change_id = a.id order by n.created_at desc limit 1)
         ) order by a.written_at nulls last, a.created_at), '[]')
         from access_changes a where a.mailbox_id = m.id and a.state in ('announced', 'writing', 'written')) as changes,
      case when o.report_only then (select a.plan from access_changes a where a.mailbox_id = m.id and a.state = 'reported'
         order by a.created_at desc limit 1) end as last_reported_plan
    from mailboxes m
    left join organizations o on o.id = m.organization_id
    left join connectors c on c.organization_id = m.organization_id
    left join mailbox_decisions md on md.mailbox_id = m.id
    left join mailbox_enforcements me on me.mailbox_id = m.id
    left join sync_runs r on r.id = $3::uuid
    where m.id = $1::uuid and m.organization_id = $2::uuid`,
}

/** Undefined when discovery has never stored this mailbox of this organisation. */
export async function readMailboxToEnforce(
  pool: Store['pool'],
  o: { mailboxId: string; organizationId: string; syncRunId: string },
): Promise<MailboxToEnforce | undefined> {
  const { rows } = await pool.query<MailboxToEnforce>({ ...READ, values: [o.mailboxId, o.organizationId, o.syncRunId] })
  return rows[0]
}

export type OwnEntry = { key: string; list: 'allow' | 'block'; deviceId: string }

export type EnforcementRecord = {
  mailboxId: string
  organizationId: string
  syncRunId: string
  decisionVersion: number
  outcome: Row<'mailbox_enforcements'>['outcome']
  /** The change that has come to its end, out of `writing`. */
  change?: { id: string; state: 'written' | 'failed'; durationMs?: number; problem?: ProblemJson }
  /** Entries that are ours from now on, and entries that no longer are. */
  own: readonly OwnEntry[]
  disown: readonly Omit<OwnEntry, 'deviceId'>[]
  /** Changes that a later read has shown, and changes that have come to nothing. */
  verifiedIds: readonly string[]
  superseded: { ids: readonly string[]; problem?: ProblemJson }
}

const RECORD = {
  name: 'record-enforcement',
  text: `with ended as (
      update access_changes set state = $6::text, duration_ms = $7::integer, problem = $8::jsonb,
        written_at = case when $6::text = 'written' then clock_timestamp() end
      where id = $5::uuid and state = 'writing'
    ), verified as (
      update access_changes set state = 'verified', verified_at = clock_timestamp() where id = any ($14::uuid[]) and state = 'written'
    ), superseded as (
      update access_changes set state = 'superseded', problem = $16::jsonb where id = any ($15::uuid[])
    ), disowned as (
      delete from own_exemptions e using unnest($12::text[], $13::text[]) as x(key, list)
      where e.mailbox_id = $1::uuid and e.device_id_key = x.key and e.list = x.list
    ), owned as (
      insert into own_exemptions (mailbox_id, device_id_key, list, device_id, change_id, created_at)
      select $1::uuid, x.key, x.list, x.device_id, $5::uuid, clock_timestamp()
      from unnest($9::text[], $10::text[], $11::text[]) as x(key, list, device_id)
      on conflict (mailbox_id, device_id_key, list) do update
        set device_id = excluded.device_id, change_id = excluded.change_id, created_at = excluded.created_at
    )
    insert into mailbox_enforcements as stored (mailbox_id, organization_id, sync_run_id, decision_version, outcome, at)
    values ($1::uuid, $2::uuid, $3::uuid, $4::bigint, $17::text, clock_timestamp())
    on conflict (mailbox_id) do update set organization_id = excluded.organization_id, sync_run_id = excluded.sync_run_id,
      decision_version = excluded.decision_version, at = excluded.at,
      -- A message that comes twice finds nothing left to do; that must not hide that its first time wrote.
      outcome = case when stored.decision_version = excluded.decision_version and excluded.outcome = 'unchanged'
        then stored.outcome else excluded.outcome end
    where stored.decision_version <= excluded.decision_version`,
}

/** Everything that carrying out (or giving up) one decision leaves behind, in one statement and so all or nothing. */
export async function recordEnforcement(pool: Store['pool'], record: EnforcementRecord): Promise<void> {
  const { change, own, disown, superseded } = record
  await pool.query({
    ...RECORD,
    values: [
      record.mailboxId,
      record.organizationId,
      record.syncRunId,
      record.decisionVersion,
      change?.id ?? null,
      change?.state ?? null,
      change?.durationMs === undefined ? null : Math.round(change.durationMs),
      change?.problem === undefined ? null : JSON.stringify(change.problem),
      own.map(({ key }) => key),
      own.map(({ list }) => list),
      own.map(({ deviceId }) => deviceId),
      disown.map(({ key }) => key),
      disown.map(({ list }) => list),
      record.verifiedIds,
      superseded.ids,
      superseded.problem === undefined ? null : JSON.stringify(superseded.problem),
      record.outcome,
    ],
  })
}
