import type { Kysely } from 'kysely'
import type { Database } from './schema.ts'

export type MessageTemplate = { locale: string; subject: string; body: string }

/** Makes these the organisation's own templates; a language without one uses the default. */
export async function replaceMessageTemplates(
  db: Kysely<Database>,
  organizationId: string,
  templates: readonly MessageTemplate[],
): Promise<void> {
  await db.deleteFrom('message_templates').where('organization_id', '=', organizationId).execute()
  if (templates.length === 0) return
  await db
    .insertInto('message_templates')
    .values(
      templates.map((one) => ({
        organization_id: organizationId,
        locale: one.locale,
        subject: one.subject,
        body_markdown: one.body,
      })),
    )
    .execute()
}
