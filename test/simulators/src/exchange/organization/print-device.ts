import { type ExchangeObject, type ExchangeValue, printExchangeObject } from './exchange-object.ts'
import type { Device, Organization } from './organization.ts'

const MOBILE_DEVICE_TYPES = [
  'Microsoft.Exchange.Data.Directory.Management.MobileDevice',
  'Microsoft.Exchange.Data.Directory.Management.ADPresentationObject',
  'Microsoft.Exchange.Data.Directory.ADObject',
  'Microsoft.Exchange.Data.Directory.ADRawEntry',
  'Microsoft.Exchange.Data.ConfigurableObject',
  'System.Object',
]

const STATISTICS_TYPES = [
  'Microsoft.Exchange.Management.Mobile.MobileDeviceStatistics',
  'Microsoft.Exchange.Data.ConfigurableObject',
  'System.Object',
]

/** As Get-MobileDevice prints it; printed anew only when the device, its mailbox or the organisation has changed. */
export function printDevice(device: Device, organization: Organization): string {
  const revision = `${device.mailbox.revision}.${organization.revision}.${device.isInDiscovery}`
  if (device.printed?.revision === revision) return device.printed.xml
  const xml = printExchangeObject(toMobileDevice(device, organization))
  device.printed = { revision, xml }
  return xml
}

/** The properties of Get-MobileDevice, by name: what filters compare. */
export function deviceProperties(device: Device, organization: Organization): Map<string, ExchangeValue> {
  return new Map(toMobileDevice(device, organization).properties.map(([name, value]) => [name.toLowerCase(), value]))
}

export function printDeviceStatistics(device: Device, organization: Organization): string {
  const { source, mailbox } = device
  const verdict = organization.verdictOf(device)
  const lastSync = { utc: new Date(source.whenChangedUtc) }
  return printExchangeObject({
    typeNames: STATISTICS_TYPES,
    text: source.identity,
    properties: [
      ['FirstSyncTime', { utc: new Date(source.firstSyncTime) }],
      ['LastPolicyUpdateTime', { utc: new Date(source.firstSyncTime) }],
      ['LastSyncAttemptTime', lastSync],
      ['LastSuccessSync', lastSync],
      ['DeviceType', source.deviceType],
      ['DeviceID', source.deviceId],
      ['DeviceUserAgent', source.userAgent],
      ['DeviceWipeSentTime', null],
      ['DeviceWipeRequestTime', device.wipeRequested === undefined ? null : { utc: device.wipeRequested }],
      ['DeviceWipeAckTime', null],
      ['AccountOnlyDeviceWipeSentTime', null],
      ['AccountOnlyDeviceWipeRequestTime', null],
      ['LastPingHeartbeat', 470],
      ['RecoveryPassword', '********'],
      ['DeviceModel', source.deviceModel],
      ['DeviceImei', source.deviceImei],
      ['DeviceFriendlyName', source.friendlyName],
      ['DeviceOS', source.deviceOs],
      ['DeviceOSLanguage', source.deviceOsLanguage],
      ['DevicePhoneNumber', source.deviceTelephoneNumber],
      ['MailboxLogReport', null],
      ['DeviceEnableOutboundSMS', false],
      ['DeviceMobileOperator', source.deviceMobileOperator],
      ['Identity', source.identity],
      ['Guid', { guid: source.guid }],
      ['IsRemoteWipeSupported', true],
      ['Status', device.wipeRequested === undefined ? 'DeviceOk' : 'DeviceWipePending'],
      ['StatusNote', null],
      ['DeviceAccessState', verdict.state],
      ['DeviceAccessStateReason', verdict.reason],
      ['DeviceAccessControlRule', verdict.rule],
      ['DevicePolicyApplied', mailbox.activeSyncMailboxPolicy],
      ['DevicePolicyApplicationStatus', 'AppliedInFull'],
      ['LastDeviceWipeRequestor', null],
      ['ClientVersion', source.clientVersion],
      ['ClientType', source.clientType],
      ['NumberOfFoldersSynced', 9],
      ['SyncStateUpgradeTime', null],
      ['IsValid', true],
      ['ObjectState', 'Unchanged'],
    ],
  })
}

function toMobileDevice(device: Device, organization: Organization): ExchangeObject {
  const { source, mailbox } = device
  const verdict = organization.verdictOf(device)
  const changed = new Date(source.whenChangedUtc)
  const created = new Date(source.whenCreatedUtc)
  return {
    typeNames: MOBILE_DEVICE_TYPES,
    text: source.identity,
    properties: [
      ['FriendlyName', source.friendlyName],
      ['DeviceId', source.deviceId],
      ['DeviceImei', source.deviceImei],
      ['DeviceMobileOperator', source.deviceMobileOperator],
      ['DeviceOS', source.deviceOs],
      ['DeviceOSLanguage', source.deviceOsLanguage],
      ['DeviceTelephoneNumber', source.deviceTelephoneNumber],
      ['DeviceType', source.deviceType],
      ['DeviceUserAgent', source.userAgent],
      ['DeviceModel', source.deviceModel],
      ['FirstSyncTime', { utc: new Date(source.firstSyncTime) }],
      ['UserDisplayName', mailbox.source.canonicalName],
      ['DeviceAccessState', verdict.state],
      ['DeviceAccessStateReason', verdict.reason],
      ['DeviceAccessControlRule', verdict.rule],
      ['ClientVersion', source.clientVersion],
      ['DeviceActiveSyncVersion', source.clientVersion],
      ['ClientType', source.clientType],
      ['IsManaged', false],
      ['IsCompliant', false],
      ['IsDisabled', false],
      ['AdminDisplayName', ''],
      ['ExchangeVersion', '0.1 (8.0.535.0)'],
      ['Name', source.name],
      ['DistinguishedName', source.distinguishedName],
      ['Identity', source.identity],
      ['ObjectCategory', `${organization.domain}/Configuration/Schema/ms-Exch-Active-Sync-Device`],
      ['ObjectClass', { strings: ['top', 'msExchActiveSyncDevice'] }],
      ['WhenChanged', { local: changed }],
      ['WhenCreated', { local: created }],
      ['WhenChangedUTC', { utc: changed }],
      ['WhenCreatedUTC', { utc: created }],
      ['OrganizationId', ''],
      ['Id', source.identity],
      ['Guid', { guid: source.guid }],
      ['OriginatingServer', organization.domainController],
      ['IsValid', true],
      ['ObjectState', 'Changed'],
    ],
  }
}
