import type { PsObject } from '@gatehouse/powershell'
import { readBoolean, readText } from './ps-row.ts'
import { requireText } from './read-rows.ts'

/** One object of Get-MobileDeviceMailboxPolicy. What a phone fails of it beats the allow list. */
export type MailboxPolicy = {
  name: string
  isDefault: boolean
  allowNonProvisionableDevices: boolean | undefined
  devicePolicyRefreshInterval: string
}

/** Throws RowRejected. */
export function parseMailboxPolicy(row: PsObject): MailboxPolicy {
  return {
    name: requireText(row, 'Name'),
    isDefault: readBoolean(row, 'IsDefault') ?? false,
    allowNonProvisionableDevices: readBoolean(row, 'AllowNonProvisionableDevices'),
    devicePolicyRefreshInterval: readText(row, 'DevicePolicyRefreshInterval'),
  }
}
