import type { PsObject } from '@gatehouse/powershell'
import { requireText } from './read-rows.ts'

/** One object of Get-ActiveSyncDeviceAccessRule; `characteristic` and `accessLevel` are Exchange's words. */
export type DeviceAccessRule = { identity: string; characteristic: string; queryString: string; accessLevel: string }

/** Throws RowRejected. */
export function parseDeviceAccessRule(row: PsObject): DeviceAccessRule {
  return {
    identity: requireText(row, 'Identity'),
    characteristic: requireText(row, 'Characteristic'),
    queryString: requireText(row, 'QueryString'),
    accessLevel: requireText(row, 'AccessLevel'),
  }
}
