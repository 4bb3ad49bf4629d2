import type { PsObject } from '@gatehouse/powershell'
import { readText } from './ps-row.ts'
import { requireText } from './read-rows.ts'

/** One object of Get-ActiveSyncDeviceClass: a pair of type and model that Exchange has seen. */
export type DeviceClass = { deviceType: string; deviceModel: string }

/** Throws RowRejected. */
export function parseDeviceClass(row: PsObject): DeviceClass {
  return { deviceType: requireText(row, 'DeviceType'), deviceModel: readText(row, 'DeviceModel') }
}
