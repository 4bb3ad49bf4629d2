import {
  appendPolicy,
  type Database,
  insertAudit,
  insertConnector,
  insertOrganization,
  lockInTransaction,
  openSyncRun,
  readLastAudit,
  replaceMessageTemplates,
  replacePlatformExceptions,
  retireConnectors,
  setReportOnly,
  upsertOrganizationPolicy,
} from '@gatehouse/store'
import { type OrganizationSettings, organizationIdOf } from '@gatehouse/worker'
import type { Transaction } from 'kysely'
import type { ControlDeps } from './control-deps.ts'

const ACTOR = 'settings'
const REPORT_ONLY_ACTION = 'settings.report-only'

/**
 * Brings the tables that mirror the settings to what the settings say: organisations, connectors, policy. All or nothing, under
 * one lock, and nothing changes the second time, so copies that start together do no harm. A policy that differs from the one
 * in force becomes a new version with a full sync of every organisation, whose commands (and `policy.changed`) are published
 * by `publishRunCommands`: an interruption in between loses nothing.
 * @returns the new policy version, if there is one.
 */
export async function writeSettings(deps: ControlDeps): Promise<number | undefined> {
  const { db, settings, now } = deps
  return await db.transaction().execute(async (transaction) => {
    await lockInTransaction(transaction, 'control-settings')
    let changed = false
    for (const organization of settings.organizations) {
      changed = (await writeOrganization(transaction, organization, now())) || changed
    }
    const ids = settings.organizations.map((organization) => organizationIdOf(organization.name))
    await retireConnectors(transaction, ids, now())
    const version = await appendPolicy(
      transaction,
      {
        enabled: settings.policy.enabled,
        included_groups: [...settings.policy.includedGroups],
        excluded_groups: [...settings.policy.excludedGroups],
        override_default_rule: settings.policy.overrideDefaultRule,
        unknown_compliance: settings.policy.unknownCompliance,
      },
      { createdBy: ACTOR, at: now(), always: changed },
    )
    // Before the first version nothing was decided, so there is nothing to decide again.
    if (version !== undefined && version > 1) await openPolicyRuns(transaction, ids, version, now())
    return version
  })
}

/** Answers whether something that decisions depend on has changed. */
async function writeOrganization(db: Transaction<Database>, organization: OrganizationSettings, at: Date): Promise<boolean> {
  const id = organizationIdOf(organization.name)
  await insertOrganization(db, { id, name: organization.name, reportOnly: organization.reportOnly, at })
  await writeReportOnly(db, { id, reportOnly: organization.reportOnly, at })
  await insertConnector(db, id, at)
  await replaceMessageTemplates(
    db,
    id,
    Object.entries(organization.templates ?? {}).flatMap(([locale, template]) =>
      template === undefined ? [] : [{ locale, subject: template.subject, body: template.body }],
    ),
  )
  const levelChanged = await upsertOrganizationPolicy(db, {
    organizationId: id,
    defaultAccessLevel: organization.defaultAccessLevel,
    manageOrganizationSettings: organization.manageOrganizationSettings,
  })
  const exceptions = organization.platformExceptions.map((exception) => ({
    characteristic: exception.characteristic,
    query_string: exception.queryString,
    access_level: exception.accessLevel,
  }))
  return (await replacePlatformExceptions(db, id, exceptions)) || levelChanged
}

/**
 * Report-only mode is switched by the API as well. The settings take effect when *they* change, not at every start: otherwise
 * a restart would undo what an administrator has switched.
 */
async function writeReportOnly(db: Transaction<Database>, to: { id: string; reportOnly: boolean; at: Date }): Promise<void> {
  const last = await readLastAudit(db, REPORT_ONLY_ACTION, to.id)
  if (last?.detail['reportOnly'] === to.reportOnly) return
  await setReportOnly(db, to.id, to.reportOnly)
  await insertAudit(db, {
    actor: ACTOR,
    action: REPORT_ONLY_ACTION,
    subject: to.id,
    detail: { reportOnly: to.reportOnly },
    at: to.at,
  })
}

async function openPolicyRuns(db: Transaction<Database>, ids: readonly string[], version: number, at: Date): Promise<void> {
  for (const organizationId of ids)
    await openSyncRun(db, { organizationId, syncType: 'fullSync', cause: `policy ${version}`, at })
}
