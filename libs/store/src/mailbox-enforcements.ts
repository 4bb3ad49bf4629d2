import type { Store } from './create-database.ts'
import type { AccessChangePlan, BrakeState, ProblemJson, Row } from './schema.ts'
import { storableJson } from './storable-json.ts'

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
  id: string
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
  name: 'read-mailboxes-to-enforce',
  text: `select m.id, m.vanished_at is not null as is_vanished, m.allowed_device_ids, m.blocked_device_ids,
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
    from unnest($1::uuid[], $2::uuid[], $3::uuid[]) as w(id, organization_id, sync_run_id)
    join mailboxes m on m.id = w.id and m.organization_id = w.organization_id
    left join organizations o on o.id = m.organization_id
    left join connectors c on c.organization_id = m.organization_id
    left join mailbox_decisions md on md.mailbox_id = m.id
    left join mailbox_enforcements me on me.mailbox_id = m.id
    left join sync_runs r on r.id = w.sync_run_id`,
}

export type EnforcedMailbox = { readonly mailboxId: string; readonly organizationId: string; readonly syncRunId: string }

/** In the order of asking; undefined where discovery has never stored this mailbox of this organisation. No mailbox twice. */
export async function readMailboxesToEnforce(
  pool: Pick<Store['pool'], 'query'>,
  mailboxes: readonly EnforcedMailbox[],
): Promise<(MailboxToEnforce | undefined)[]> {
  const { rows } = await pool.query<MailboxToEnforce>({
    ...READ,
    values: [
      mailboxes.map((one) => one.mailboxId),
      mailboxes.map((one) => one.organizationId),
      mailboxes.map((one) => one.syncRunId),
    ],
  })
  const found = new Map(rows.map((row) => [row.id, row]))
  return mailboxes.map((one) => found.get(one.mailboxId))
}

export type OwnEntry = { key: string; list: 'allow' | 'block'; deviceId: string }

export type EnforcementRecord = EnforcedMailbox & {
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
  name: 'record-enforcements',
  text: `with ended as (
      update access_changes a set state = x.state, duration_ms = x.duration_ms, problem = x.problem,
        written_at = case when x.state = 'written' then clock_timestamp() end
      from json_to_recordset($2::json) as x(id uuid, state text, duration_ms integer, problem jsonb)
      where a.id = x.id and a.state = 'writing'
    ), verified as (
      update access_changes set state = 'verified', verified_at = clock_timestamp() where id = any ($5::uuid[]) and state = 'written'
    ), superseded as (
      update access_changes a set state = 'superseded', problem = x.problem
      from json_to_recordset($6::json) as x(id uuid, problem jsonb) where a.id = x.id
    ), disowned as (
      delete from own_exemptions e using json_to_recordset($4::json) as x(mailbox_id uuid, key text, list text)
      where e.mailbox_id = x.mailbox_id and e.device_id_key = x.key and e.list = x.list
    ), owned as (
      insert into own_exemptions (mailbox_id, device_id_key, list, device_id, change_id, created_at)
      select x.mailbox_id, x.key, x.list, x.device_id, x.change_id, clock_timestamp()
      from json_to_recordset($3::json) as x(mailbox_id uuid, key text, list text, device_id text, change_id uuid)
      on conflict (mailbox_id, device_id_key, list) do update
        set device_id = excluded.device_id, change_id = excluded.change_id, created_at = excluded.created_at
    )
    insert into mailbox_enforcements as stored (mailbox_id, organization_id, sync_run_id, decision_version, outcome, at)
    select x.mailbox_id, x.organization_id, x.sync_run_id, x.decision_version, x.outcome, clock_timestamp()
    from json_to_recordset($1::json) as x(mailbox_id uuid, organization_id uuid, sync_run_id uuid, decision_version bigint,
      outcome text)
    on conflict (mailbox_id) do update set organization_id = excluded.organization_id, sync_run_id = excluded.sync_run_id,
      decision_version = excluded.decision_version, at = excluded.at,
      -- A message that comes twice, and a run whose sync comes twice, finds nothing left to do; that must not hide that its first
      -- time wrote.
      outcome = case when excluded.outcome = 'unchanged' and (stored.decision_version = excluded.decision_version
          or (stored.sync_run_id = excluded.sync_run_id and stored.outcome = 'written'))
        then stored.outcome else excluded.outcome end
    where stored.decision_version <= excluded.decision_version`,
}

/**
 * Everything that carrying out (or giving up) decisions leaves behind, in one statement and so all or nothing. No mailbox may
 * be in it twice. Doing it again changes nothing.
 */
export async function recordEnforcements(
  pool: Pick<Store['pool'], 'query'>,
  records: readonly EnforcementRecord[],
): Promise<void> {
  await pool.query({
    ...RECORD,
    values: [
      JSON.stringify(records.map(mailboxRow)),
      storableJson(records.flatMap(({ change }) => (change === undefined ? [] : [changeRow(change)]))),
      JSON.stringify(records.flatMap((one) => one.own.map((entry) => ownRow(one, entry)))),
      JSON.stringify(records.flatMap(({ mailboxId, disown }) => disown.map((entry) => ({ mailbox_id: mailboxId, ...entry })))),
      records.flatMap(({ verifiedIds }) => verifiedIds),
      storableJson(records.flatMap(({ superseded }) => superseded.ids.map((id) => ({ id, problem: superseded.problem })))),
    ],
  })
}

function mailboxRow(record: EnforcementRecord): object {
  return {
    mailbox_id: record.mailboxId,
    organization_id: record.organizationId,
    sync_run_id: record.syncRunId,
    decision_version: record.decisionVersion,
    outcome: record.outcome,
  }
}

function changeRow({ id, state, durationMs, problem }: NonNullable<EnforcementRecord['change']>): object {
  return { id, state, duration_ms: durationMs === undefined ? undefined : Math.round(durationMs), problem }
}

function ownRow({ mailboxId, change }: EnforcementRecord, { key, list, deviceId }: OwnEntry): object {
  return { mailbox_id: mailboxId, key, list, device_id: deviceId, change_id: change?.id }
}
