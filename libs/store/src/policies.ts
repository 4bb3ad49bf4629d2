import type { Kysely } from 'kysely'
import type { AccessLevel, Database, Row } from './schema.ts'

export type PolicyFields = Pick<
  Row<'policies'>,
  'enabled' | 'included_groups' | 'excluded_groups' | 'override_default_rule' | 'unknown_compliance'
>

/** The policy in force, `undefined` before the first one. */
export async function readPolicy(db: Kysely<Database>): Promise<Row<'policies'> | undefined> {
  return await db.selectFrom('policies').selectAll().orderBy('version', 'desc').limit(1).executeTakeFirst()
}

/**
 * Appends a version when the policy in force says something else, or when `always` says that what belongs to it has changed
 * (platform exceptions, default levels). The caller holds a lock: two writers would make one version.
 * @returns the new version, `undefined` when nothing differs.
 */
export async function appendPolicy(
  db: Kysely<Database>,
  policy: PolicyFields,
  by: { createdBy: string; at: Date; always: boolean },
): Promise<number | undefined> {
  const current = await readPolicy(db)
  if (current !== undefined && !by.always && samePolicy(current, policy)) return undefined
  const version = (current?.version ?? 0) + 1
  await db
    .insertInto('policies')
    .values({ ...policy, version, created_at: by.at, created_by: by.createdBy })
    .execute()
  return version
}

/** What is set per organisation; answers whether a default level that was there before is now another. */
export async function upsertOrganizationPolicy(
  db: Kysely<Database>,
  policy: { organizationId: string; defaultAccessLevel: AccessLevel; manageOrganizationSettings: boolean },
): Promise<boolean> {
  const current = await db
    .selectFrom('organization_policies')
    .selectAll()
    .where('organization_id', '=', policy.organizationId)
    .executeTakeFirst()
  const fields = {
    default_access_level: policy.defaultAccessLevel,
    manage_organization_settings: policy.manageOrganizationSettings,
  }
  await db
    .insertInto('organization_policies')
    .values({ organization_id: policy.organizationId, ...fields })
    .onConflict((conflict) => conflict.column('organization_id').doUpdateSet(fields))
    .execute()
  return current !== undefined && current.default_access_level !== policy.defaultAccessLevel
}

function samePolicy(one: PolicyFields, other: PolicyFields): boolean {
  const essence = (policy: PolicyFields) =>
    JSON.stringify([
      policy.enabled,
      [...policy.included_groups].sort(),
      [...policy.excluded_groups].sort(),
      policy.override_default_rule,
      policy.unknown_compliance,
    ])
  return essence(one) === essence(other)
}
