import type { Store } from './create-database.ts'

/** `new`: nobody has begun it. `begun`: somebody has, `begunMs` ago, and whether it took effect is not known. `done`: it did. */
export type MessageProcessing = { state: 'new' } | { state: 'begun'; begunMs: number } | { state: 'done' }

type Key = { readonly service: string; readonly messageId: string }

const BEGIN = {
  name: 'begin-message',
  // The update changes nothing: it makes the row that is there answer. `xmax` is 0 only in a row that was inserted just now.
  text: `insert into processed_messages as p (service, message_id, begun_at) values ($1::text, $2::uuid, clock_timestamp())
    on conflict (service, message_id) do update set begun_at = p.begun_at
    returning p.xmax = 0 as is_new, p.done_at, (extract(epoch from clock_timestamp() - p.begun_at) * 1000)::float8 as begun_ms`,
}

/**
 * Notes that a message with an effect that must not be repeated is about to take it, and tells what is known of an earlier
 * copy of it. The caller holds a lock on what the effect is about: two copies must not begin at the same time.
 */
export async function beginMessage(pool: Pick<Store['pool'], 'query'>, key: Key): Promise<MessageProcessing> {
  const { rows } = await pool.query<{ is_new: boolean; done_at: Date | null; begun_ms: number }>({
    ...BEGIN,
    values: [key.service, key.messageId],
  })
  const [row] = rows
  if (row === undefined) throw new Error('PostgreSQL inserted a row and returned none')
  if (row.is_new) return { state: 'new' }
  return row.done_at === null ? { state: 'begun', begunMs: row.begun_ms } : { state: 'done' }
}

/** Tells whether the effect of the message is known to have taken place. */
export async function isMessageDone(pool: Pick<Store['pool'], 'query'>, key: Key): Promise<boolean> {
  const text = `select 1 from processed_messages where service = $1 and message_id = $2::uuid and done_at is not null`
  const { rowCount } = await pool.query(text, [key.service, key.messageId])
  return rowCount === 1
}

/** Notes that the effect of the message took place: no copy of it may take it again. */
export async function endMessage(pool: Pick<Store['pool'], 'query'>, key: Key): Promise<void> {
  await pool.query('update processed_messages set done_at = clock_timestamp() where service = $1 and message_id = $2::uuid', [
    key.service,
    key.messageId,
  ])
}

/** Notes that it is certain that the effect did not take place: a later copy begins anew. */
export async function forgetMessage(pool: Pick<Store['pool'], 'query'>, key: Key): Promise<void> {
  await pool.query('delete from processed_messages where service = $1 and message_id = $2::uuid and done_at is null', [
    key.service,
    key.messageId,
  ])
}

/**
 * Forgets messages that were begun longer ago; they must be too old to be acted on anyway.
 * @returns how many.
 */
export async function pruneProcessedMessages(
  pool: Pick<Store['pool'], 'query'>,
  of: { service: string; olderThanMs: number },
): Promise<number> {
  const text = `delete from processed_messages where service = $1 and begun_at < clock_timestamp() - $2 * interval '1 millisecond'`
  const { rowCount } = await pool.query(text, [of.service, of.olderThanMs])
  return rowCount ?? 0
}
