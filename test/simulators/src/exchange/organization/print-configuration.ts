import type { ExchangeServer } from '../../population/population.ts'
import { type ExchangeValue, printExchangeObject } from './exchange-object.ts'
import { type DeviceClass, type DeviceRule, guidFor, type Organization } from './organization.ts'

const SINCE = new Date('2019-03-04T09:30:00Z')
const CONFIGURATION = 'CN=Mobile Mailbox Settings,CN=First Organization,CN=Microsoft Exchange,CN=Services,CN=Configuration'

export function printServer(server: ExchangeServer, organization: Organization): string {
  return printConfiguration('Microsoft.Exchange.Data.Directory.Management.ExchangeServer', server.name, organization, [
    ['Name', server.name],
    ['DataPath', `C:\\Program Files\\Microsoft\\Exchange Server\\V15\\Mailbox`],
    ['Domain', organization.domain],
    ['Edition', server.edition],
    [
      'ExchangeLegacyDN',
      `/o=First Organization/ou=Exchange Administrative Group (FYDIBOHF23SPDLT)/cn=Servers/cn=${server.name}`,
    ],
    ['Fqdn', server.fqdn],
    ['CustomerFeedbackEnabled', null],
    ['IsHubTransportServer', true],
    ['IsClientAccessServer', /ClientAccess|Mailbox/.test(server.serverRole)],
    ['IsExchange2007OrLater', true],
    ['IsEdgeServer', server.serverRole === 'Edge'],
    ['IsMailboxServer', server.serverRole.includes('Mailbox')],
    ['IsE14OrLater', true],
    ['IsE15OrLater', true],
    ['IsFrontendTransportServer', true],
    ['NetworkAddress', { strings: [`ncacn_ip_tcp:${server.fqdn}`, `netbios:${server.name}`] }],
    ['ServerRole', server.serverRole],
    ['AdminDisplayVersion', server.adminDisplayVersion],
    ['Site', server.site],
    ['DistinguishedName', server.distinguishedName],
    ['Guid', { guid: server.guid }],
  ])
}

export function printSettings(organization: Organization): string {
  const { settings } = organization
  const type = 'Microsoft.Exchange.Data.Directory.SystemConfiguration.ActiveSyncOrganizationSettings'
  return printConfiguration(type, 'Mobile Mailbox Settings', organization, [
    ['DefaultAccessLevel', settings.defaultAccessLevel],
    ['UserMailInsert', settings.userMailInsert],
    ['AllowAccessForUnSupportedPlatform', settings.allowAccessForUnSupportedPlatform],
    ['AdminMailRecipients', { strings: settings.adminMailRecipients }],
    ['OtaNotificationMailInsert', settings.otaNotificationMailInsert],
    ['DeviceFiltering', null],
    ['HasAzurePremiumSubscription', false],
    ['IsIntuneManaged', false],
    ['Name', 'Mobile Mailbox Settings'],
    ['DistinguishedName', `${CONFIGURATION},${dcOf(organization)}`],
    ['Guid', { guid: settings.guid }],
  ])
}

export function printRule(rule: DeviceRule, organization: Organization): string {
  const type = 'Microsoft.Exchange.Data.Directory.SystemConfiguration.ActiveSyncDeviceAccessRule'
  return printConfiguration(type, rule.name, organization, [
    ['QueryString', rule.queryString],
    ['Characteristic', rule.characteristic],
    ['AccessLevel', rule.accessLevel],
    ['Name', rule.name],
    ['DistinguishedName', `CN=${rule.name.replace(/[,+"\\<>;=]/g, '\\$&')},${CONFIGURATION},${dcOf(organization)}`],
    ['Guid', { guid: rule.guid }],
  ])
}

export function printClass(each: DeviceClass, organization: Organization): string {
  const name = `${each.deviceType}§${each.deviceModel}`
  const type = 'Microsoft.Exchange.Data.Directory.SystemConfiguration.ActiveSyncDeviceClass'
  return printConfiguration(type, name, organization, [
    ['DeviceType', each.deviceType],
    ['DeviceModel', each.deviceModel],
    ['LastUpdateTime', { utc: new Date(each.lastUpdateTime) }],
    ['Name', name],
    ['DistinguishedName', `CN=${name.replace(/[,+"\\<>;=]/g, '\\$&')},CN=ExchangeDeviceClasses,${dcOf(organization)}`],
    ['Guid', { guid: each.guid }],
  ])
}

export function printMailboxPolicy(name: string, organization: Organization): string {
  const type = 'Microsoft.Exchange.Data.Directory.SystemConfiguration.MobileMailboxPolicy'
  return printConfiguration(type, name, organization, [
    ['AllowNonProvisionableDevices', true],
    ['AlphanumericPasswordRequired', false],
    ['AttachmentsEnabled', true],
    ['DeviceEncryptionEnabled', false],
    ['RequireStorageCardEncryption', false],
    ['PasswordEnabled', false],
    ['PasswordRecoveryEnabled', false],
    ['DevicePolicyRefreshInterval', 'Unlimited'],
    ['AllowExternalDeviceManagement', false],
    ['AllowMobileOTAUpdate', true],
    ['MaxInactivityTimeLock', 'Unlimited'],
    ['MinPasswordLength', null],
    ['IsDefault', name === 'Default'],
    ['Name', name],
    ['DistinguishedName', `CN=${name},CN=Mobile Mailbox Policies,CN=First Organization,${dcOf(organization)}`],
    ['Guid', { guid: guidFor(`policy ${name}`) }],
  ])
}

function printConfiguration(
  type: string,
  name: string,
  organization: Organization,
  properties: readonly (readonly [string, ExchangeValue])[],
): string {
  return printExchangeObject({
    typeNames: [
      type,
      'Microsoft.Exchange.Data.Directory.ADConfigurationObject',
      'Microsoft.Exchange.Data.Directory.ADObject',
      'Microsoft.Exchange.Data.Directory.ADRawEntry',
      'Microsoft.Exchange.Data.ConfigurableObject',
      'System.Object',
    ],
    text: name,
    properties: [
      ...properties,
      ['AdminDisplayName', ''],
      ['ExchangeVersion', '0.1 (8.0.535.0)'],
      ['Identity', name],
      ['WhenChanged', { local: SINCE }],
      ['WhenCreated', { local: SINCE }],
      ['WhenChangedUTC', { utc: SINCE }],
      ['WhenCreatedUTC', { utc: SINCE }],
      ['OrganizationId', ''],
      ['Id', name],
      ['OriginatingServer', organization.domainController],
      ['IsValid', true],
      ['ObjectState', 'Unchanged'],
    ],
  })
}

function dcOf(organization: Organization): string {
  return organization.domain
    .split('.')
    .map((label) => `DC=${label}`)
    .join(',')
}
