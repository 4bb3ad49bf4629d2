import { randomUUID } from 'node:crypto'
import { type Kysely, sql } from 'kysely'
import type { Store } from './create-database.ts'
import type { Database, Row } from './schema.ts'
import { storableText } from './storable-json.ts'

export type NewDiscardedLetter = Pick<
  Row<'discarded_letters'>,
  'fingerprint' | 'service' | 'message_id' | 'type' | 'content_type' | 'headers' | 'content'
>

const INSERT = `insert into discarded_letters
    (id, fingerprint, service, message_id, type, content_type, headers, content, reason, discarded_by, discarded_at)
  select t.id, t.fingerprint, t.service, t.message_id, t.type, t.content_type, t.headers, t.content, $9, $10, $11
  from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bytea[], $8::bytea[])
    as t(id, fingerprint, service, message_id, type, content_type, headers, content)
  on conflict (fingerprint) where restored_at is null do nothing`

/** Puts letters into the archive; one that lies there already, since whoever discarded it died in between, lies there once. */
export async function archiveLetters(
  pool: Pick<Store['pool'], 'query'>,
  letters: readonly NewDiscardedLetter[],
  by: { actor: string; reason: string; at: Date },
): Promise<void> {
  const texts = (['fingerprint', 'service', 'message_id', 'type', 'content_type'] as const).map((name) =>
    letters.map((letter) => letter[name] && storableText(letter[name])),
  )
  const bytes = (['headers', 'content'] as const).map((name) => letters.map((letter) => letter[name]))
  const columns = [letters.map(() => randomUUID()), ...texts, ...bytes]
  await pool.query(INSERT, [...columns, storableText(by.reason), by.actor, by.at])
}

/** The archive, newest first, without the letters' contents. */
export async function readArchive(
  db: Kysely<Database>,
  page: { top: number; skip: number },
): Promise<Omit<Row<'discarded_letters'>, 'headers' | 'content' | 'fingerprint'>[]> {
  return await db
    .selectFrom('discarded_letters')
    .select(['id', 'service', 'message_id', 'type', 'content_type', 'reason', 'discarded_by', 'discarded_at'])
    .select(['restored_by', 'restored_at'])
    .orderBy('discarded_at', 'desc')
    .orderBy('id')
    .limit(page.top)
    .offset(page.skip)
    .execute()
}

/** Letters of the archive that are not restored, by their ids there or by their message ids. */
export async function readArchivedLetters(db: Kysely<Database>, ids: readonly string[]): Promise<Row<'discarded_letters'>[]> {
  return await db
    .selectFrom('discarded_letters')
    .selectAll()
    .where('restored_at', 'is', null)
    .where(sql<boolean>`(id::text = any(${[...ids]}) or message_id = any(${[...ids]}))`)
    .orderBy('discarded_at')
    .execute()
}

/** Notes that a letter is in its dead queue again. */
export async function noteRestored(db: Kysely<Database>, id: string, by: { actor: string; at: Date }): Promise<void> {
  await db
    .updateTable('discarded_letters')
    .set({ restored_by: by.actor, restored_at: by.at })
    .where('id', '=', id)
    .where('restored_at', 'is', null)
    .execute()
}
