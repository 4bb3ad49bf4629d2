import { type ExchangeObject, type ExchangeValue, printExchangeObject } from './exchange-object.ts'
import type { Mailbox, Organization } from './organization.ts'

const DIRECTORY_TYPES = [
  'Microsoft.Exchange.Data.Directory.Management.ADPresentationObject',
  'Microsoft.Exchange.Data.Directory.ADObject',
  'Microsoft.Exchange.Data.Directory.ADRawEntry',
  'Microsoft.Exchange.Data.ConfigurableObject',
  'System.Object',
]
const CAS_MAILBOX_TYPES = ['Microsoft.Exchange.Data.Directory.Management.CASMailbox', ...DIRECTORY_TYPES]
const RECIPIENT_TYPES = ['Microsoft.Exchange.Data.Directory.Management.ReducedRecipient', ...DIRECTORY_TYPES]

/** As Get-CASMailbox prints it; printed anew only after a change. */
export function printCasMailbox(mailbox: Mailbox, organization: Organization): string {
  const revision = String(mailbox.revision)
  if (mailbox.printed?.revision === revision) return mailbox.printed.xml
  const xml = printExchangeObject(toCasMailbox(mailbox, organization))
  mailbox.printed = { revision, xml }
  return xml
}

/** By lower-case name: what filters compare. */
export function casMailboxProperties(mailbox: Mailbox, organization: Organization): Map<string, ExchangeValue> {
  return new Map(toCasMailbox(mailbox, organization).properties.map(([name, value]) => [name.toLowerCase(), value]))
}

export function printRecipient(mailbox: Mailbox, organization: Organization): string {
  const { source } = mailbox
  return printExchangeObject({
    typeNames: RECIPIENT_TYPES,
    text: source.canonicalName,
    properties: [
      ['Alias', source.alias],
      ['DisplayName', source.displayName],
      ['EmailAddresses', { strings: [`SMTP:${source.primarySmtpAddress}`] }],
      ['PrimarySmtpAddress', source.primarySmtpAddress],
      ['RecipientType', 'UserMailbox'],
      ['RecipientTypeDetails', 'UserMailbox'],
      ['SamAccountName', source.samAccountName],
      ['WindowsLiveID', ''],
      ['Database', source.database],
      ['ServerName', source.serverName],
      ['HiddenFromAddressListsEnabled', false],
      ...directoryProperties(mailbox, organization),
    ],
  })
}

export function recipientProperties(mailbox: Mailbox): Map<string, ExchangeValue> {
  const { source } = mailbox
  return new Map<string, ExchangeValue>([
    ['alias', source.alias],
    ['displayname', source.displayName],
    ['primarysmtpaddress', source.primarySmtpAddress],
    ['emailaddresses', { strings: [`SMTP:${source.primarySmtpAddress}`] }],
    ['recipienttypedetails', 'UserMailbox'],
    ['recipienttype', 'UserMailbox'],
    ['samaccountname', source.samAccountName],
    ['name', source.name],
    ['distinguishedname', source.distinguishedName],
    ['guid', source.guid],
  ])
}

function toCasMailbox(mailbox: Mailbox, organization: Organization): ExchangeObject {
  const { source } = mailbox
  return {
    typeNames: CAS_MAILBOX_TYPES,
    text: source.canonicalName,
    properties: [
      ['EmailAddresses', { strings: [`SMTP:${source.primarySmtpAddress}`] }],
      ['LegacyExchangeDN', source.legacyExchangeDn],
      ['LinkedMasterAccount', ''],
      ['PrimarySmtpAddress', source.primarySmtpAddress],
      ['SamAccountName', source.samAccountName],
      ['ServerName', source.serverName.toLowerCase()],
      ['DisplayName', source.displayName],
      ['ActiveSyncAllowedDeviceIDs', { strings: mailbox.allowed }],
      ['ActiveSyncBlockedDeviceIDs', { strings: mailbox.blocked }],
      ['ActiveSyncMailboxPolicy', mailbox.activeSyncMailboxPolicy],
      ['ActiveSyncMailboxPolicyIsDefaulted', mailbox.activeSyncMailboxPolicy === 'Default'],
      ['ActiveSyncDebugLogging', false],
      ['ActiveSyncEnabled', mailbox.activeSyncEnabled],
      ['HasActiveSyncDevicePartnership', mailbox.devices.length > 0],
      ['OwaMailboxPolicy', null],
      ['OWAEnabled', true],
      ['OWAforDevicesEnabled', true],
      ['ECPEnabled', true],
      ['PopEnabled', true],
      ['ImapEnabled', true],
      ['MAPIEnabled', true],
      ['MapiHttpEnabled', null],
      ['EwsEnabled', null],
      ['EwsAllowList', { strings: [] }],
      ...directoryProperties(mailbox, organization),
    ],
  }
}

function directoryProperties(mailbox: Mailbox, organization: Organization): [string, ExchangeValue][] {
  const { source } = mailbox
  const created = new Date(source.whenCreatedUtc)
  return [
    ['AdminDisplayName', ''],
    ['ExchangeVersion', '0.20 (15.0.0.0)'],
    ['Name', source.name],
    ['DistinguishedName', source.distinguishedName],
    ['Identity', source.canonicalName],
    ['ObjectCategory', `${organization.domain}/Configuration/Schema/Person`],
    ['ObjectClass', { strings: ['top', 'person', 'organizationalPerson', 'user'] }],
    ['WhenChanged', { local: mailbox.whenChanged }],
    ['WhenCreated', { local: created }],
    ['WhenChangedUTC', { utc: mailbox.whenChanged }],
    ['WhenCreatedUTC', { utc: created }],
    ['OrganizationId', ''],
    ['Id', source.canonicalName],
    ['Guid', { guid: source.guid }],
    ['OriginatingServer', organization.domainController],
    ['IsValid', true],
    ['ObjectState', 'Unchanged'],
  ]
}
