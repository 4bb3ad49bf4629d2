import { type CasMailbox, distinguishedNameKey, type MobileDevice, type RejectedRow } from '@gatehouse/exchange'
import { type ObservedMailbox, type ObservedPartnership, storableText } from '@gatehouse/store'

export type Joined = { mailboxes: ObservedMailbox[]; partnerships: ObservedPartnership[]; orphans: RejectedRow[] }

/**
 * Gives each device to its mailbox, by distinguished name, as rows to store. A device whose mailbox is not in the list is an
 * orphan: the two lists are read one after the other, and the directory may lag between them.
 */
export function joinPartnerships(mailboxes: readonly CasMailbox[], devices: readonly MobileDevice[]): Joined {
  const idByName = new Map(mailboxes.map((mailbox) => [distinguishedNameKey(mailbox.distinguishedName), mailbox.guid]))
  const partnerships = new Map<string, ObservedPartnership>()
  const orphans: RejectedRow[] = []
  for (const device of devices) {
    const mailboxId = idByName.get(distinguishedNameKey(device.mailboxDistinguishedName))
    if (mailboxId === undefined) orphans.push({ guid: device.guid, reason: 'Its mailbox is not in the list of mailboxes' })
    else partnerships.set(device.guid, toPartnership(device, mailboxId))
  }
  const rows = new Map(mailboxes.map((mailbox) => [mailbox.guid, toMailbox(mailbox)]))
  return { mailboxes: [...rows.values()], partnerships: [...partnerships.values()], orphans }
}

function toMailbox(mailbox: CasMailbox): ObservedMailbox {
  return {
    id: mailbox.guid,
    distinguished_name: storableText(mailbox.distinguishedName),
    primary_smtp_address: storableText(mailbox.primarySmtpAddress),
    display_name: storableText(mailbox.displayName),
    active_sync_enabled: mailbox.activeSyncEnabled,
    allowed_device_ids: mailbox.allowedDeviceIds.map(storableText),
    blocked_device_ids: mailbox.blockedDeviceIds.map(storableText),
  }
}

function toPartnership(device: MobileDevice, mailboxId: string): ObservedPartnership {
  return {
    id: device.guid,
    mailbox_id: mailboxId,
    device_id: storableText(device.deviceId),
    device_type: storableText(device.deviceType),
    device_model: storableText(device.deviceModel),
    device_os: storableText(device.deviceOs),
    device_user_agent: storableText(device.deviceUserAgent),
    friendly_name: storableText(device.friendlyName),
    client_type: storableText(device.clientType),
    device_access_state: storableText(device.accessState),
    device_access_state_reason: storableText(device.accessStateReason),
    first_sync_time: device.firstSyncTime ?? null,
  }
}
