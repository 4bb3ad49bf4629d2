import type { Kysely } from 'kysely'
import type { Database, Row } from './schema.ts'

/** Stores an organisation; its mode is set only when it is new, later it changes by `setReportOnly`. */
export async function insertOrganization(
  db: Kysely<Database>,
  organization: { id: string; name: string; reportOnly: boolean; at: Date },
): Promise<void> {
  await db
    .insertInto('organizations')
    .values({ id: organization.id, name: organization.name, report_only: organization.reportOnly, created_at: organization.at })
    .onConflict((conflict) => conflict.column('id').doUpdateSet({ name: organization.name }))
    .execute()
}

/** Switches report-only mode; answers the organisation as it is now, `undefined` when it is not known. */
export async function setReportOnly(
  db: Kysely<Database>,
  organizationId: string,
  reportOnly: boolean,
): Promise<Row<'organizations'> | undefined> {
  return await db
    .updateTable('organizations')
    .set({ report_only: reportOnly })
    .where('id', '=', organizationId)
    .returningAll()
    .executeTakeFirst()
}

export async function readOrganizations(db: Kysely<Database>): Promise<Row<'organizations'>[]> {
  return await db.selectFrom('organizations').selectAll().orderBy('name').execute()
}
