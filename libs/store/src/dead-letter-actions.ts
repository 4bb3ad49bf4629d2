import { randomUUID } from 'node:crypto'
import type { Kysely } from 'kysely'
import type { Database, Row } from './schema.ts'
import { storableJson } from './storable-json.ts'

export type DeadLetterAction = {
  readonly action: Row<'dead_letter_actions'>['action']
  /** The services whose dead queues it is about. */
  readonly services: readonly string[]
  readonly messageId?: string | undefined
  readonly actor: string
  /** Filter, counts and outcome. */
  readonly detail: Readonly<Record<string, unknown>>
  readonly at: Date
}

/** Records what was done to dead letters. Call it in the transaction of the deed, if there is one. */
export async function insertDeadLetterAction(db: Kysely<Database>, entry: DeadLetterAction): Promise<void> {
  await db
    .insertInto('dead_letter_actions')
    .values({
      id: randomUUID(),
      action: entry.action,
      queue: entry.services.join(','),
      message_id: entry.messageId ?? null,
      actor: entry.actor,
      detail: storableJson(entry.detail),
      at: entry.at,
    })
    .execute()
}

/** The newest actions first. */
export async function readDeadLetterActions(
  db: Kysely<Database>,
  page: { top: number; skip: number },
): Promise<Row<'dead_letter_actions'>[]> {
  return await db
    .selectFrom('dead_letter_actions')
    .selectAll()
    .orderBy('at', 'desc')
    .orderBy('id')
    .limit(page.top)
    .offset(page.skip)
    .execute()
}
