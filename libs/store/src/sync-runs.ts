import { randomUUID } from 'node:crypto'
import { type Kysely, sql, type Transaction } from 'kysely'
import { lockInTransaction } from './lock-in-transaction.ts'
import type { Database, ProblemJson, Row, SyncType } from './schema.ts'

export type NewSyncRun = {
  organizationId: string
  syncType: SyncType
  /** Free text for people; one that begins with `schedule ` is unique per organisation. */
  cause: string
  /** Set: the run was confirmed in advance by this actor, the brake will not hold it. */
  confirmedBy?: string | undefined
  at: Date
}

/** A run whose commands are not known to be published has this count at 0: see `readUnrequestedRuns`. */
const REQUESTED = 'requested'
/** How often the commands of a run were asked for again, and when last (milliseconds since 1970): see `requestRunAgain`. */
const AGAIN = 'requestedAgain'
const AGAIN_AT = 'requestedAgainAt'
/** What is in `counts` beside what is counted. */
export const RUN_MARKS: readonly string[] = [REQUESTED, AGAIN, AGAIN_AT]

/**
 * Opens a run, unless one of the organisation is under way that does as much (a full sync does what a quick one does), or the
 * same moment of the schedule has had its run. A new full sync takes the place of one that the brake holds.
 */
export async function openSyncRun(
  transaction: Transaction<Database>,
  wanted: NewSyncRun,
): Promise<{ run: Row<'sync_runs'>; opened: boolean }> {
  await lockInTransaction(transaction, `sync-run:${wanted.organizationId}`)
  const existing = await findEqualRun(transaction, wanted)
  if (existing !== undefined) return { run: existing, opened: false }
  if (wanted.syncType === 'fullSync') await supersedeHeldRuns(transaction, wanted)
  const run = await transaction
    .insertInto('sync_runs')
    .values({
      id: randomUUID(),
      organization_id: wanted.organizationId,
      sync_type: wanted.syncType,
      cause: wanted.cause,
      status: 'running',
      brake: wanted.confirmedBy === undefined ? 'counting' : 'confirmed',
      brake_limit: 0,
      would_block: 0,
      confirmed_by: wanted.confirmedBy ?? null,
      counts: JSON.stringify({ [REQUESTED]: 0 }),
      started_at: wanted.at,
    })
    .returningAll()
    .executeTakeFirstOrThrow()
  return { run, opened: true }
}

async function findEqualRun(transaction: Transaction<Database>, wanted: NewSyncRun): Promise<Row<'sync_runs'> | undefined> {
  const runs = transaction.selectFrom('sync_runs').selectAll().where('organization_id', '=', wanted.organizationId)
  if (wanted.cause.startsWith('schedule ')) {
    const fired = await runs
      .where('cause', '=', wanted.cause)
      .where('sync_type', '=', wanted.syncType)
      .limit(1)
      .executeTakeFirst()
    if (fired !== undefined) return fired
  }
  return await runs
    .where('status', '=', 'running')
    .where('sync_type', 'in', wanted.syncType === 'fullSync' ? ['fullSync'] : ['fullSync', 'deltaSync'])
    .orderBy('started_at', 'desc')
    .limit(1)
    .executeTakeFirst()
}

async function supersedeHeldRuns(transaction: Transaction<Database>, wanted: NewSyncRun): Promise<void> {
  const problem: ProblemJson = { code: 'sync-superseded', message: 'A newer full sync took the place of this held one' }
  await transaction
    .updateTable('sync_runs')
    .set({ status: 'failed', finished_at: wanted.at, problem: JSON.stringify(problem) })
    .where('organization_id', '=', wanted.organizationId)
    .where('status', '=', 'held')
    .execute()
}

/** Notes that the commands of a run are published and confirmed. */
export async function setRunRequested(db: Kysely<Database>, syncRunId: string): Promise<void> {
  await db
    .updateTable('sync_runs')
    .set({ counts: sql`counts || jsonb_build_object(${REQUESTED}::text, 1)` })
    .where('id', '=', syncRunId)
    .execute()
}

/**
 * Has the commands of a running run published once more, at most `timesMax` times in its life.
 * @returns whether they will be: not when they are about to be anyway, or were often enough
 */
export async function requestRunAgain(
  db: Kysely<Database>,
  syncRunId: string,
  { at, timesMax }: { readonly at: Date; readonly timesMax: number },
): Promise<boolean> {
  const again = sql<number>`coalesce((counts->>${AGAIN})::int, 0)`
  const marks = sql`jsonb_build_object(${REQUESTED}::text, 0, ${AGAIN}::text, ${again} + 1, ${AGAIN_AT}::text, ${at.getTime()}::bigint)`
  const { numUpdatedRows } = await db
    .updateTable('sync_runs')
    .set({ counts: sql`counts || ${marks}` })
    .where('id', '=', syncRunId)
    .where('status', '=', 'running')
    .where(sql<boolean>`counts->>${REQUESTED} = '1'`)
    .where(again, '<', timesMax)
    .executeTakeFirst()
  return numUpdatedRows > 0n
}

/** When the commands of a run were last asked for again. */
export function requestedAgainAt(run: Pick<Row<'sync_runs'>, 'counts'>): Date | undefined {
  const at = run.counts[AGAIN_AT]
  return at === undefined ? undefined : new Date(at)
}

/** Open runs that began before `before` and whose commands may never have been published: their starter died in between. */
export async function readUnrequestedRuns(db: Kysely<Database>, before: Date): Promise<Row<'sync_runs'>[]> {
  return await db
    .selectFrom('sync_runs')
    .selectAll()
    .where('status', '=', 'running')
    .where('started_at', '<', before)
    .where(sql<boolean>`counts->>${REQUESTED} = '0'`)
    .execute()
}

/** The runs to track: those that have not ended. */
export async function readOpenRunIds(db: Kysely<Database>): Promise<string[]> {
  const rows = await db.selectFrom('sync_runs').select('id').where('status', 'in', ['running', 'held']).execute()
  return rows.map((row) => row.id)
}

/** A run locked for an update, `undefined` when another copy is at it or it does not exist. */
export async function lockRun(transaction: Transaction<Database>, syncRunId: string): Promise<Row<'sync_runs'> | undefined> {
  return await transaction
    .selectFrom('sync_runs')
    .selectAll()
    .where('id', '=', syncRunId)
    .forUpdate()
    .skipLocked()
    .executeTakeFirst()
}

/** A run locked for an update, after waiting for whoever is at it. */
export async function waitForRun(transaction: Transaction<Database>, syncRunId: string): Promise<Row<'sync_runs'> | undefined> {
  return await transaction.selectFrom('sync_runs').selectAll().where('id', '=', syncRunId).forUpdate().executeTakeFirst()
}

export type RunCounts = {
  mailboxes: number
  devices: number
  decided: number
  enforced: number
  written: number
  failed: number
  notices: number
  wouldBlock: number
  /** Those of `wouldBlock` that are of organisations whose Exchange is really written to. */
  wouldBlockLive: number
  /** Mailboxes decided for the run though it did not publish them: their Intune side changed. */
  decidedByChange: number
  /** All partnerships of the organisation: the brake's percent is of these. */
  partnerships: number
  lastDecidedAt: Date | null
  lastEnforcedAt: Date | null
}

/**
 * Counts a run from the tables. Its mailboxes are those it published last and those decided for it, which may be of any
 * organisation: Intune is one for all. A newer run that publishes a mailbox takes it over. A mailbox counts as decided and enforced whichever run brought that about, if this one had begun.
 */
export async function countRun(
  db: Kysely<Database>,
  run: { id: string; organizationId: string; startedAt: Date },
): Promise<RunCounts> {
  const { rows } = await sql<RunCounts>`
    with own as (
      select id from mailboxes where organization_id = ${run.organizationId} and published_run_id = ${run.id} and vanished_at is null
      union
      select mailbox_id from mailbox_decisions where sync_run_id = ${run.id}
    ), states as (
      select own.id, decision.would_block, decision.decided_at, enforcement.outcome, enforcement.at,
        coalesce(organization.report_only, true) as report_only,
        decision.sync_run_id = ${run.id} and mailbox.published_run_id is distinct from ${run.id} as is_by_change
      from own
      join mailboxes mailbox on mailbox.id = own.id
      left join organizations organization on organization.id = mailbox.organization_id
      left join mailbox_decisions decision
        on decision.mailbox_id = own.id and (decision.sync_run_id = ${run.id} or decision.decided_at >= ${run.startedAt})
      left join mailbox_enforcements enforcement
        on enforcement.mailbox_id = own.id and enforcement.decision_version >= decision.decision_version
    )
    select count(*)::int as mailboxes,
      (select count(*)::int from device_partnerships where vanished_at is null and mailbox_id in (select id from own)) as devices,
      count(decided_at)::int as decided,
      count(at)::int as enforced,
      count(*) filter (where outcome = 'written')::int as written,
      count(*) filter (where outcome = 'failed')::int as failed,
      (select count(*)::int from access_changes change join notices on notices.change_id = change.id and notices.state = 'sent'
        where change.sync_run_id = ${run.id}) as notices,
      coalesce(sum(would_block), 0)::int as "wouldBlock",
      coalesce(sum(would_block) filter (where not report_only), 0)::int as "wouldBlockLive",
      count(*) filter (where is_by_change)::int as "decidedByChange",
      (select count(*)::int from device_partnerships where organization_id = ${run.organizationId} and vanished_at is null) as partnerships,
      max(decided_at) as "lastDecidedAt", max(at) as "lastEnforcedAt"
    from states`.execute(db)
  const [counts] = rows
  if (counts === undefined) throw new Error('An aggregate answered no row')
  return counts
}

export type RunUpdate = Partial<Pick<Row<'sync_runs'>, 'status' | 'brake' | 'brake_limit' | 'would_block' | 'confirmed_by'>> & {
  counts?: Record<string, number>
  /** null: there is none any more. */
  problem?: ProblemJson | null
  discoveredAt?: Date
  lookedUpAt?: Date
  finishedAt?: Date
}

/** Writes what is given; counts are merged into those that are there, and the first moment of a stage stays. */
export async function updateRun(db: Kysely<Database>, syncRunId: string, update: RunUpdate): Promise<void> {
  const { counts, problem, discoveredAt, lookedUpAt, finishedAt, ...columns } = update
  await db
    .updateTable('sync_runs')
    .set({
      ...columns,
      ...(counts === undefined ? {} : { counts: sql<Record<string, number>>`counts || ${JSON.stringify(counts)}::jsonb` }),
      ...(problem === undefined ? {} : { problem: problem && JSON.stringify(problem) }),
      ...(discoveredAt === undefined ? {} : { discovered_at: sql<Date>`coalesce(discovered_at, ${discoveredAt})` }),
      ...(lookedUpAt === undefined ? {} : { looked_up_at: sql<Date>`coalesce(looked_up_at, ${lookedUpAt})` }),
      ...(finishedAt === undefined ? {} : { finished_at: finishedAt }),
    })
    .where('id', '=', syncRunId)
    .execute()
}

export async function readRun(db: Kysely<Database>, syncRunId: string): Promise<Row<'sync_runs'> | undefined> {
  return await db.selectFrom('sync_runs').selectAll().where('id', '=', syncRunId).executeTakeFirst()
}

/** The newest runs first. */
export async function readRuns(
  db: Kysely<Database>,
  page: { organizationId?: string | undefined; top: number; skip: number },
): Promise<Row<'sync_runs'>[]> {
  return await db
    .selectFrom('sync_runs')
    .selectAll()
    .$if(page.organizationId !== undefined, (query) => query.where('organization_id', '=', page.organizationId ?? ''))
    .orderBy('started_at', 'desc')
    .orderBy('id')
    .limit(page.top)
    .offset(page.skip)
    .execute()
}
