import type { PsObject } from '@gatehouse/powershell'
import { readText, readTexts } from './ps-row.ts'
import { requireText } from './read-rows.ts'

/** The one object of Get-ActiveSyncOrganizationSettings. `defaultAccessLevel` is Exchange's word. */
export type OrganizationSettings = { defaultAccessLevel: string; userMailInsert: string; adminMailRecipients: string[] }

/** Throws RowRejected. */
export function parseOrganizationSettings(row: PsObject): OrganizationSettings {
  return {
    defaultAccessLevel: requireText(row, 'DefaultAccessLevel'),
    userMailInsert: readText(row, 'UserMailInsert'),
    adminMailRecipients: readTexts(row, 'AdminMailRecipients'),
  }
}
