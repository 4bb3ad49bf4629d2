import { randomUUID } from 'node:crypto'
import type { Kysely } from 'kysely'
import type { Database, Row } from './schema.ts'

export type AuditEntry = { actor: string; action: string; subject: string; detail?: Record<string, unknown>; at: Date }

/** Records who did what to what. Call it in the transaction of the deed. */
export async function insertAudit(db: Kysely<Database>, entry: AuditEntry): Promise<void> {
  await db
    .insertInto('audit')
    .values({
      id: randomUUID(),
      actor: entry.actor,
      action: entry.action,
      subject: entry.subject,
      detail: JSON.stringify(entry.detail ?? {}),
      at: entry.at,
    })
    .execute()
}

/** The newest entry of one action on one subject. */
export async function readLastAudit(db: Kysely<Database>, action: string, subject: string): Promise<Row<'audit'> | undefined> {
  return await db
    .selectFrom('audit')
    .selectAll()
    .where('action', '=', action)
    .where('subject', '=', subject)
    .orderBy('at', 'desc')
    .limit(1)
    .executeTakeFirst()
}
