import type { Store } from './create-database.ts'
import type { AccessChangePlan, ProblemJson } from './schema.ts'
import { storableJson } from './storable-json.ts'

/** A change of one mailbox's lists that is about to be announced, written or only reported. */
export type NewAccessChange = {
  id: string
  mailboxId: string
  organizationId: string
  syncRunId: string
  decisionVersion: number
  plan: AccessChangePlan
  oldAllowed: readonly string[]
  oldBlocked: readonly string[]
  newAllowed: readonly string[]
  newBlocked: readonly string[]
  cmdlet: string
}

const COLUMNS = `id, organization_id, mailbox_id, sync_run_id, decision_version, plan, old_allowed, old_blocked, new_allowed,
  new_blocked, cmdlet`
const VALUES = `$1::uuid, $2::uuid, $3::uuid, $4::uuid, $5::bigint, $6::jsonb, $7::text[], $8::text[], $9::text[], $10::text[], $11::text`

/** Named, so that PostgreSQL plans it once per connection: this runs for every write of a sync. */
const BEGIN = {
  name: 'begin-access-changes',
  text: `insert into access_changes as stored (${COLUMNS}, state, started_at)
    select x.id, x.organization_id, x.mailbox_id, x.sync_run_id, x.decision_version, x.plan, x.old_allowed, x.old_blocked,
      x.new_allowed, x.new_blocked, x.cmdlet, 'writing', clock_timestamp()
    from json_to_recordset($1::json) as x(id uuid, organization_id uuid, mailbox_id uuid, sync_run_id uuid, decision_version bigint,
      plan jsonb, old_allowed text[], old_blocked text[], new_allowed text[], new_blocked text[], cmdlet text, epoch integer)
    join connectors c on c.organization_id = x.organization_id and c.epoch = x.epoch
    order by x.id
    on conflict (id) do update set sync_run_id = excluded.sync_run_id, decision_version = excluded.decision_version,
      plan = excluded.plan, old_allowed = excluded.old_allowed, old_blocked = excluded.old_blocked,
      new_allowed = excluded.new_allowed, new_blocked = excluded.new_blocked, cmdlet = excluded.cmdlet,
      state = 'writing', started_at = excluded.started_at
    where stored.state = 'announced'
    returning id`,
}

/** `epoch`: the one the connector had when the connection was made that the cmdlet is to be sent over. */
export type BeginningChange = { readonly change: NewAccessChange; readonly epoch: number }

/**
 * Commits that cmdlets are about to be sent, each as a new change or out of an announced one.
 * @returns in order; false: the connector of the organisation has another epoch now, so nothing may be written.
 */
export async function beginAccessChanges(
  pool: Pick<Store['pool'], 'query'>,
  beginning: readonly BeginningChange[],
): Promise<boolean[]> {
  const rows = beginning.map(({ change, epoch }) => ({
    id: change.id,
    organization_id: change.organizationId,
    mailbox_id: change.mailboxId,
    sync_run_id: change.syncRunId,
    decision_version: change.decisionVersion,
    plan: change.plan,
    old_allowed: change.oldAllowed,
    old_blocked: change.oldBlocked,
    new_allowed: change.newAllowed,
    new_blocked: change.newBlocked,
    cmdlet: change.cmdlet,
    epoch,
  }))
  const answer = await pool.query<{ id: string }>({ ...BEGIN, values: [storableJson(rows)] })
  const begun = new Set(answer.rows.map(({ id }) => id))
  return beginning.map(({ change }) => begun.has(change.id))
}

/** Stores a change that waits for its notice; the ones it takes the place of come to nothing. */
export async function announceAccessChange(
  pool: Store['pool'],
  change: NewAccessChange,
  supersededIds: readonly string[],
): Promise<void> {
  await pool.query(
    `with superseded as (
       update access_changes set state = 'superseded' where id = any ($12::uuid[]) and state = 'announced'
     )
     insert into access_changes (${COLUMNS}, state, announced_at) values (${VALUES}, 'announced', clock_timestamp())`,
    [...valuesOf(change), supersededIds],
  )
}

/** Stores what would have been written, were the organisation not in report-only mode. */
export async function reportAccessChange(pool: Store['pool'], change: NewAccessChange): Promise<void> {
  await pool.query(`insert into access_changes (${COLUMNS}, state) values (${VALUES}, 'reported')`, valuesOf(change))
}

/**
 * How an uncertain write ended. Done: what it added becomes ours, and what it removed no longer is. Not done: it comes to
 * nothing, or waits on as announced when its notice has gone out, so that nobody gets a second one.
 */
export async function settleAccessChange(
  pool: Store['pool'],
  change: { id: string; mailboxId: string; isDone: boolean; plan: AccessChangePlan; problem?: ProblemJson },
): Promise<void> {
  const { isDone, plan } = change
  const added = isDone ? [...onList(plan.allowAdd, 'allow'), ...onList(plan.blockAdd, 'block')] : []
  const removed = isDone ? [...onList(plan.allowRemove, 'allow'), ...onList(plan.blockRemove, 'block')] : []
  await pool.query(
    `with settled as (
       update access_changes set problem = $4::jsonb, written_at = case when $3::boolean then clock_timestamp() end,
         state = case when $3::boolean then 'written' when announced_at is not null then 'announced' else 'superseded' end
       where id = $1::uuid and state = 'writing'
     ), disowned as (
       delete from own_exemptions e using json_to_recordset($6::json) as x(key text, list text)
       where e.mailbox_id = $2::uuid and e.device_id_key = x.key and e.list = x.list
     )
     insert into own_exemptions (mailbox_id, device_id_key, list, device_id, change_id, created_at)
     select $2::uuid, x.key, x.list, x.device_id, $1::uuid, clock_timestamp()
     from json_to_recordset($5::json) as x(key text, list text, device_id text)
     on conflict (mailbox_id, device_id_key, list) do update
       set device_id = excluded.device_id, change_id = excluded.change_id, created_at = excluded.created_at`,
    [
      change.id,
      change.mailboxId,
      isDone,
      change.problem === undefined ? null : JSON.stringify(change.problem),
      JSON.stringify(added),
      JSON.stringify(removed),
    ],
  )
}

/** What two spellings of one device id have in common. */
export function deviceIdKey(deviceId: string): string {
  return deviceId.trim().toLowerCase()
}

function onList(ids: readonly string[], list: 'allow' | 'block'): { key: string; list: string; device_id: string }[] {
  return ids.map((id) => ({ key: deviceIdKey(id), list, device_id: id }))
}

function valuesOf(change: NewAccessChange): unknown[] {
  return [
    change.id,
    change.organizationId,
    change.mailboxId,
    change.syncRunId,
    change.decisionVersion,
    JSON.stringify(change.plan),
    change.oldAllowed,
    change.oldBlocked,
    change.newAllowed,
    change.newBlocked,
    change.cmdlet,
  ]
}
