import type { DirectoryUser } from './graph.ts'
import { isRow, readId } from './read-row.ts'

export const DIRECTORY_USER_SELECT = 'id,userPrincipalName,mail,assignedPlans,preferredLanguage'

/** INTUNE_A, the plan behind every Intune licence for users. Source: MicrosoftDocs/entra-docs licensing-service-plan-reference.md. */
const INTUNE_PLAN_ID = 'c1ec4a95-1f05-45b3-a911-aa3fa01094f5'
/** What assignedPlan.service says of Intune's plans. */
const INTUNE_SERVICE = 'SCO'

/** A user among the members of a group; undefined when the row is not one. */
export function parseDirectoryUser(row: unknown): DirectoryUser | undefined {
  if (!isRow(row)) return undefined
  const id = readId(row['id'])
  const userPrincipalName = readId(row['userPrincipalName'])
  const mail = readId(row['mail'])
  if (!id || userPrincipalName === undefined || mail === undefined) return undefined
  const licensed = isLicensed(row['assignedPlans'])
  return { id, userPrincipalName, mail, licensed, preferredLanguage: readId(row['preferredLanguage']) || null }
}

/** Without the permission User.Read.All Graph still lists the members, with nothing but their ids. */
export function areHidden(rows: readonly unknown[]): boolean {
  return rows.length > 0 && rows.every((row) => isRow(row) && row['userPrincipalName'] === null)
}

function isLicensed(plans: unknown): boolean {
  if (!Array.isArray(plans)) return false
  return plans.some((plan: unknown) => {
    if (!isRow(plan) || plan['capabilityStatus'] !== 'Enabled') return false
    return String(plan['servicePlanId']).toLowerCase() === INTUNE_PLAN_ID || plan['service'] === INTUNE_SERVICE
  })
}
