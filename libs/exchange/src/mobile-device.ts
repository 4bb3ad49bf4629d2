import type { PsObject } from '@gatehouse/powershell'
import { mailboxNameOf } from './distinguished-name.ts'
import { readDate, readText } from './ps-row.ts'
import { RowRejected, requireRowGuid, requireText } from './read-rows.ts'

/**
 * One object of Get-MobileDevice: a device partnership. `deviceId` keeps Exchange's case. Everything textual came from a
 * phone. `accessState` and `accessStateReason` are Exchange's words, unknown ones included.
 */
export type MobileDevice = {
  guid: string
  distinguishedName: string
  /** The owner; join it by `distinguishedNameKey`. */
  mailboxDistinguishedName: string
  deviceId: string
  deviceType: string
  deviceModel: string
  deviceOs: string
  deviceUserAgent: string
  friendlyName: string
  clientType: string
  accessState: string
  accessStateReason: string
  firstSyncTime: Date | undefined
}

/** All that `parseMobileDevice` looks at. */
export const MOBILE_DEVICE_PROPERTIES: ReadonlySet<string> = new Set([
  'DistinguishedName',
  'Guid',
  'DeviceId',
  'DeviceType',
  'DeviceModel',
  'DeviceOS',
  'DeviceUserAgent',
  'FriendlyName',
  'ClientType',
  'DeviceAccessState',
  'DeviceAccessStateReason',
  'FirstSyncTime',
])

/** Throws RowRejected. */
export function parseMobileDevice(row: PsObject): MobileDevice {
  const distinguishedName = requireText(row, 'DistinguishedName')
  const mailboxDistinguishedName = mailboxNameOf(distinguishedName)
  if (mailboxDistinguishedName === undefined) throw new RowRejected('DistinguishedName names no mailbox')
  return {
    guid: requireRowGuid(row),
    distinguishedName,
    mailboxDistinguishedName,
    deviceId: requireText(row, 'DeviceId'),
    deviceType: readText(row, 'DeviceType'),
    deviceModel: readText(row, 'DeviceModel'),
    deviceOs: readText(row, 'DeviceOS'),
    deviceUserAgent: readText(row, 'DeviceUserAgent'),
    friendlyName: readText(row, 'FriendlyName'),
    clientType: readText(row, 'ClientType') || 'EAS',
    accessState: readText(row, 'DeviceAccessState') || 'Unknown',
    accessStateReason: readText(row, 'DeviceAccessStateReason') || 'Unknown',
    firstSyncTime: readDate(row, 'FirstSyncTime'),
  }
}
