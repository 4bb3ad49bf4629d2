import type { Kysely } from 'kysely'
import type { Database, NewRow } from './schema.ts'

/** Makes these the exceptions of the organisation; answers whether any differed. The caller's transaction makes it one step. */
export async function replacePlatformExceptions(
  db: Kysely<Database>,
  organizationId: string,
  exceptions: readonly Omit<NewRow<'platform_exceptions'>, 'organization_id'>[],
): Promise<boolean> {
  const current = await db
    .selectFrom('platform_exceptions')
    .select(['characteristic', 'query_string', 'access_level'])
    .where('organization_id', '=', organizationId)
    .execute()
  const keyOf = (one: (typeof exceptions)[number]) => JSON.stringify([one.characteristic, one.query_string, one.access_level])
  const wanted = new Set(exceptions.map(keyOf))
  if (current.length === wanted.size && current.every((one) => wanted.has(keyOf(one)))) return false
  await db.deleteFrom('platform_exceptions').where('organization_id', '=', organizationId).execute()
  if (exceptions.length > 0) {
    await db
      .insertInto('platform_exceptions')
      .values(exceptions.map((one) => ({ ...one, organization_id: organizationId })))
      .onConflict((conflict) =>
        conflict
          .columns(['organization_id', 'characteristic', 'query_string'])
          .doUpdateSet((set) => ({ access_level: set.ref('excluded.access_level') })),
      )
      .execute()
  }
  return true
}
