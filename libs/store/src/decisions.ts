import type { Store } from './create-database.ts'
import type { AccessChangePlan, AccessLevel, Row } from './schema.ts'
import { storableJson } from './storable-json.ts'

type PolicyRow = Pick<Row<'policies'>, 'version' | 'enabled' | 'override_default_rule' | 'unknown_compliance'>

/** Everything that the devices of one mailbox are decided from, read at one moment. */
export type MailboxToDecide = {
  id: string
  organization_id: string
  /** Of the decision that is stored now; null before the first. */
  decision_version: number | null
  primary_smtp_address: string
  allowed_device_ids: string[]
  blocked_device_ids: string[]
  policy: PolicyRow | null
  default_access_level: AccessLevel | null
  platform_exceptions: { characteristic: 'DeviceType' | 'DeviceModel'; queryString: string; accessLevel: AccessLevel }[]
  devices: { id: string; deviceId: string; deviceType: string; deviceModel: string; accessState: string }[]
  /** Users whose name (`by: upn`) or mail is the mailbox's address. */
  users: { id: string; upn: string; licensed: boolean; included: boolean; excluded: boolean; by: 'upn' | 'mail' }[]
  managed_devices: {
    id: string
    userId: string
    easDeviceId: string
    easActivated: boolean
    azureAdRegistered: boolean
    deviceRegistrationState: string
    complianceState: string
    complianceGraceExpiresAt: string | null
    managementAgent: string
    lastSyncDateTime: string | null
    refreshedAt: string
  }[]
  own: { key: string; list: 'allow' | 'block' }[]
  /** Our writes that the observed lists may not show: `writing` ones are uncertain. Oldest first. */
  changes: { state: 'writing' | 'written'; plan: AccessChangePlan }[]
}

/** Named, so that PostgreSQL plans it once per connection: this runs for every mailbox of a sync. */
const READ = {
  name: 'read-mailboxes-to-decide',
  text: `with m as (
      select mailboxes.* from unnest($1::uuid[], $2::uuid[]) as w(id, organization_id)
      join mailboxes on mailboxes.id = w.id and mailboxes.organization_id = w.organization_id and mailboxes.vanished_at is null
    ), p as (select * from policies order by version desc limit 1)
    select m.id, m.organization_id, md.decision_version, m.primary_smtp_address, m.allowed_device_ids, m.blocked_device_ids,
      (select json_build_object('version', p.version, 'enabled', p.enabled, 'override_default_rule', p.override_default_rule,
         'unknown_compliance', p.unknown_compliance) from p) as policy,
      op.default_access_level,
      (select coalesce(json_agg(json_build_object('characteristic', e.characteristic, 'queryString', e.query_string,
         'accessLevel', e.access_level)), '[]') from platform_exceptions e where e.organization_id = m.organization_id) as platform_exceptions,
      (select coalesce(json_agg(json_build_object('id', d.id, 'deviceId', d.device_id, 'deviceType', d.device_type,
         'deviceModel', d.device_model, 'accessState', d.device_access_state) order by d.id), '[]')
         from device_partnerships d where d.mailbox_id = m.id and d.vanished_at is null) as devices,
      (select coalesce(json_agg(json_build_object('id', u.id, 'upn', u.user_principal_name, 'licensed', u.licensed,
           'by', case when lower(u.user_principal_name) = lower(m.primary_smtp_address) then 'upn' else 'mail' end,
           'included', exists (select from group_members g, p where g.user_id = u.id and g.group_id = any (p.included_groups)),
           'excluded', exists (select from group_members g, p where g.user_id = u.id and g.group_id = any (p.excluded_groups)))), '[]')
         from directory_users u
         where lower(u.user_principal_name) = lower(m.primary_smtp_address) or lower(u.mail) = lower(m.primary_smtp_address)) as users,
      (select coalesce(json_agg(json_build_object('id', i.id, 'userId', i.user_id, 'easDeviceId', i.eas_device_id,
           'easActivated', i.eas_activated, 'azureAdRegistered', i.azure_ad_registered,
           'deviceRegistrationState', i.device_registration_state, 'complianceState', i.compliance_state,
           'complianceGraceExpiresAt', i.compliance_grace_expires_at, 'managementAgent', i.management_agent, 'lastSyncDateTime', i.last_sync_at,
           'refreshedAt', i.refreshed_at) order by i.id), '[]')
         from managed_devices i
         where i.eas_device_id_key <> '' and i.missing_refreshes < $3::integer and i.eas_device_id_key in (
           select lower(trim(d.device_id)) from device_partnerships d where d.mailbox_id = m.id and d.vanished_at is null)) as managed_devices,
      (select coalesce(json_agg(json_build_object('key', e.device_id_key, 'list', e.list)), '[]')
         from own_exemptions e where e.mailbox_id = m.id) as own,
      (select coalesce(json_agg(json_build_object('state', a.state, 'plan', a.plan) order by a.created_at), '[]')
         from access_changes a where a.mailbox_id = m.id
           and (a.state = 'writing' or (a.state = 'written' and a.written_at >= m.observed_at))) as changes
    from m left join organization_policies op on op.organization_id = m.organization_id
    left join mailbox_decisions md on md.mailbox_id = m.id`,
}

export type MailboxKey = { readonly mailboxId: string; readonly organizationId: string }

/** In the order of asking; undefined where there is no such mailbox, or it has vanished from Exchange. */
export async function readMailboxesToDecide(
  pool: Pick<Store['pool'], 'query'>,
  o: { mailboxes: readonly MailboxKey[]; missingRefreshesMax: number },
): Promise<(MailboxToDecide | undefined)[]> {
  const { rows } = await pool.query<MailboxToDecide>({
    ...READ,
    values: [o.mailboxes.map((one) => one.mailboxId), o.mailboxes.map((one) => one.organizationId), o.missingRefreshesMax],
  })
  const found = new Map(rows.map((row) => [row.id, row]))
  return o.mailboxes.map((one) => found.get(one.mailboxId))
}

export type NewDecision = {
  partnership_id: string
  device_id: string
  access: AccessLevel
  exemption: 'allow' | 'block' | 'none'
  reason: string
  inputs: Record<string, unknown>
}

/**
 * Of each mailbox all or nothing: its decisions are stored only if its own row still is of the version they were made against.
 * In the order of ids, so that two batches with the same mailboxes never wait for each other.
 */
const STORE = {
  name: 'store-mailbox-decisions',
  text: `with wanted as materialized (
      select * from json_to_recordset($1::json) as x(mailbox_id uuid, organization_id uuid, sync_run_id uuid, would_block integer,
        made_against bigint)
    ), decision as materialized (
      select * from json_to_recordset($2::json) as x(mailbox_id uuid, partnership_id uuid, device_id text, access text,
        exemption text, reason text, inputs jsonb)
    ), v as (
      insert into mailbox_decisions as stored (mailbox_id, organization_id, decision_version, sync_run_id, would_block, decided_at)
      select mailbox_id, organization_id, nextval('decision_versions'), sync_run_id, would_block, clock_timestamp()
      from (select * from wanted order by mailbox_id) as ordered
      on conflict (mailbox_id) do update set organization_id = excluded.organization_id,
        decision_version = excluded.decision_version, sync_run_id = excluded.sync_run_id, would_block = excluded.would_block,
        decided_at = excluded.decided_at
      where stored.decision_version = (select w.made_against from wanted w where w.mailbox_id = excluded.mailbox_id)
      returning mailbox_id, organization_id, decision_version as version
    ), gone as (
      delete from decisions d using v where d.mailbox_id = v.mailbox_id
        and not exists (select from decision x where x.partnership_id = d.partnership_id)
    ), decided as (
      insert into decisions as stored (partnership_id, organization_id, mailbox_id, device_id, access, exemption, reason, inputs,
        decision_version, decided_at)
      select x.partnership_id, v.organization_id, v.mailbox_id, x.device_id, x.access, x.exemption, x.reason, x.inputs, v.version,
        clock_timestamp()
      from decision x join v on v.mailbox_id = x.mailbox_id order by x.partnership_id
      on conflict (partnership_id) do update set organization_id = excluded.organization_id, mailbox_id = excluded.mailbox_id,
        device_id = excluded.device_id, access = excluded.access, exemption = excluded.exemption, reason = excluded.reason,
        inputs = excluded.inputs, decision_version = excluded.decision_version, decided_at = excluded.decided_at
      where stored.decision_version < excluded.decision_version
    )
    select mailbox_id, version from v`,
}

/** The decision of a whole mailbox. `madeAgainst` is the `decision_version` that was read together with the facts. */
export type NewMailboxDecision = MailboxKey & {
  readonly syncRunId: string
  readonly madeAgainst: number | null
  readonly wouldBlock: number
  readonly decisions: readonly NewDecision[]
}

/**
 * Stores the decisions of whole mailboxes in one statement. Two handlers may decide the same mailbox at once, and the one with
 * the older facts must not have the last word. No mailbox may be in it twice.
 * @returns their versions, in order; undefined where another decision was stored since it was read, and so nothing was.
 */
export async function storeMailboxDecisions(
  pool: Pick<Store['pool'], 'query'>,
  mailboxes: readonly NewMailboxDecision[],
): Promise<(number | undefined)[]> {
  const wanted = mailboxes.map((one) => ({
    mailbox_id: one.mailboxId,
    organization_id: one.organizationId,
    sync_run_id: one.syncRunId,
    would_block: one.wouldBlock,
    made_against: one.madeAgainst,
  }))
  const decisions = mailboxes.flatMap((one) => one.decisions.map((decision) => ({ ...decision, mailbox_id: one.mailboxId })))
  const { rows } = await pool.query<{ mailbox_id: string; version: number }>({
    ...STORE,
    values: [JSON.stringify(wanted), storableJson(decisions)],
  })
  const versions = new Map(rows.map((row) => [row.mailbox_id, row.version]))
  return mailboxes.map((one) => versions.get(one.mailboxId))
}

/** The newest run of the organisation that is under way: decisions are made for a run, because the brake counts them by run. */
export async function readOpenRunOf(pool: Store['pool'], organizationId: string): Promise<string | undefined> {
  const { rows } = await pool.query<{ id: string }>(
    `select id from sync_runs where organization_id = $1::uuid and status in ('running', 'held')
     order by started_at desc limit 1`,
    [organizationId],
  )
  return rows[0]?.id
}
