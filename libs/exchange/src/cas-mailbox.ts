import type { PsObject } from '@gatehouse/powershell'
import { readBoolean, readText, readTexts } from './ps-row.ts'
import { RowRejected, requireRowGuid, requireText } from './read-rows.ts'

/** One object of Get-CASMailbox. The two lists keep Exchange's case. */
export type CasMailbox = {
  guid: string
  distinguishedName: string
  primarySmtpAddress: string
  displayName: string
  activeSyncEnabled: boolean
  allowedDeviceIds: string[]
  blockedDeviceIds: string[]
}

/** All that `parseCasMailbox` looks at. */
export const CAS_MAILBOX_PROPERTIES: ReadonlySet<string> = new Set([
  'ActiveSyncAllowedDeviceIDs',
  'ActiveSyncBlockedDeviceIDs',
  'ActiveSyncEnabled',
  'Guid',
  'DistinguishedName',
  'PrimarySmtpAddress',
  'DisplayName',
  'Name',
])

/** Throws RowRejected. A row without its lists is refused: "absent" must never be taken for "empty". */
export function parseCasMailbox(row: PsObject): CasMailbox {
  for (const list of ['ActiveSyncAllowedDeviceIDs', 'ActiveSyncBlockedDeviceIDs'])
    if (row.properties[list] === undefined) throw new RowRejected(`${list} is absent`)
  const activeSyncEnabled = readBoolean(row, 'ActiveSyncEnabled')
  if (activeSyncEnabled === undefined) throw new RowRejected('ActiveSyncEnabled is neither true nor false')
  return {
    guid: requireRowGuid(row),
    distinguishedName: requireText(row, 'DistinguishedName'),
    primarySmtpAddress: readText(row, 'PrimarySmtpAddress'),
    displayName: readText(row, 'DisplayName') || readText(row, 'Name'),
    activeSyncEnabled,
    allowedDeviceIds: readTexts(row, 'ActiveSyncAllowedDeviceIDs'),
    blockedDeviceIds: readTexts(row, 'ActiveSyncBlockedDeviceIDs'),
  }
}
