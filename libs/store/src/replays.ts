import { randomUUID } from 'node:crypto'
import { type Kysely, sql, type Transaction } from 'kysely'
import type { ReplayCounts, ReplayState } from './dead-letter-tables.ts'
import { lockInTransaction } from './lock-in-transaction.ts'
import type { Database, ProblemJson, Row } from './schema.ts'

export type NewReplay = {
  readonly actor: string
  readonly filter: object
  readonly options: object
  readonly hash: string
  /** The keys of the letters, by service. */
  readonly selection: Readonly<Record<string, readonly string[]>>
  readonly counts: ReplayCounts
  readonly at: Date
}

/** A replay without the keys of its letters, which may be many. */
export type ReplayView = Omit<Row<'replays'>, 'selection'>

/**
 * Opens a replay, unless one is running in a dead queue that it would take from: then that one is answered. A queue has one
 * replay at a time, since each of two would see only a part of it.
 */
export async function openReplay(
  transaction: Transaction<Database>,
  wanted: NewReplay,
): Promise<{ opened: Row<'replays'> } | { running: ReplayView }> {
  const services = Object.keys(wanted.selection)
  const running = await findRunning(transaction, services)
  if (running !== undefined) return { running }
  const opened = await transaction
    .insertInto('replays')
    .values({
      id: randomUUID(),
      state: 'running',
      services,
      filter: JSON.stringify(wanted.filter),
      options: JSON.stringify(wanted.options),
      hash: wanted.hash,
      selection: JSON.stringify(wanted.selection),
      counts: JSON.stringify(wanted.counts),
      actor: wanted.actor,
      started_at: wanted.at,
    })
    .returningAll()
    .executeTakeFirstOrThrow()
  return { opened }
}

/** The replay that runs in one of these dead queues; holds others off until the transaction ends. */
export async function findRunning(
  transaction: Transaction<Database>,
  services: readonly string[],
): Promise<ReplayView | undefined> {
  await lockInTransaction(transaction, 'replays')
  return await selectViews(transaction)
    .where('state', '=', 'running')
    .where(sql<boolean>`services && ${[...services]}`)
    .limit(1)
    .executeTakeFirst()
}

/** Lets a stopped replay go on. */
export async function reopenReplay(
  transaction: Transaction<Database>,
  id: string,
  change: { canaryPassedAt: Date | undefined },
): Promise<{ opened: ReplayView } | { running: ReplayView } | { refused: ReplayView | undefined }> {
  const replay = await readReplay(transaction, id)
  if (replay === undefined || replay.state !== 'stopped') return { refused: replay }
  const running = await findRunning(transaction, replay.services)
  if (running !== undefined) return { running }
  await transaction
    .updateTable('replays')
    .set({
      state: 'running',
      problem: null,
      finished_at: null,
      ...(change.canaryPassedAt === undefined ? {} : { canary_passed_at: change.canaryPassedAt }),
    })
    .where('id', '=', id)
    .execute()
  return { opened: { ...replay, state: 'running', problem: null, finished_at: null } }
}

/**
 * Ends a running replay, for good or until it is resumed.
 * @returns false when it did not run any more.
 */
export async function endReplay(
  db: Kysely<Database>,
  id: string,
  end: { state: Exclude<ReplayState, 'running'>; problem?: ProblemJson | undefined; counts?: ReplayCounts; at: Date },
): Promise<boolean> {
  const { numUpdatedRows } = await db
    .updateTable('replays')
    .set({
      state: end.state,
      problem: end.problem === undefined ? null : JSON.stringify(end.problem),
      finished_at: end.at,
      ...(end.counts === undefined ? {} : { counts: JSON.stringify(end.counts) }),
    })
    .where('id', '=', id)
    .where('state', '=', 'running')
    .executeTakeFirstOrThrow()
  return numUpdatedRows > 0n
}

/**
 * Notes how far a replay has come, one that was stopped meanwhile too: whoever resumes it goes on from there.
 * @returns whether it still runs.
 */
export async function noteReplayProgress(
  db: Kysely<Database>,
  id: string,
  progress: { counts: ReplayCounts; canaryPassedAt?: Date },
): Promise<boolean> {
  const row = await db
    .updateTable('replays')
    .set({
      counts: JSON.stringify(progress.counts),
      ...(progress.canaryPassedAt === undefined ? {} : { canary_passed_at: progress.canaryPassedAt }),
    })
    .where('id', '=', id)
    .where('state', '<>', 'finished')
    .returning('state')
    .executeTakeFirst()
  return row?.state === 'running'
}

/** The replays that somebody must carry on with, whole. */
export async function readRunningReplays(db: Kysely<Database>): Promise<Row<'replays'>[]> {
  return await db.selectFrom('replays').selectAll().where('state', '=', 'running').orderBy('started_at').execute()
}

export async function readReplay(db: Kysely<Database>, id: string): Promise<ReplayView | undefined> {
  return await selectViews(db).where('id', '=', id).executeTakeFirst()
}

/** The newest first. */
export async function readReplays(db: Kysely<Database>, page: { top: number; skip: number }): Promise<ReplayView[]> {
  return await selectViews(db).orderBy('started_at', 'desc').orderBy('id').limit(page.top).offset(page.skip).execute()
}

function selectViews(db: Kysely<Database>) {
  return db
    .selectFrom('replays')
    .select(['id', 'state', 'services', 'filter', 'options', 'hash', 'counts', 'canary_passed_at', 'problem', 'actor'])
    .select(['started_at', 'finished_at'])
}
