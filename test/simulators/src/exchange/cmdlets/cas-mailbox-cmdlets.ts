import type { Mailbox } from '../organization/organization.ts'
import { casMailboxProperties, printCasMailbox, printRecipient, recipientProperties } from '../organization/print-mailbox.ts'
import { type Cmdlet, type CmdletOutcome, type CmdletRun, isEmptyGiven, outcome, textOf } from './cmdlet.ts'
import { administrativeLimitExceeded, bindingError, taskError } from './error-records.ts'
import { findMailbox } from './find-object.ts'
import { changeMultiValue } from './multi-value.ts'
import { readObjects } from './read-objects.ts'

/** Values of unlinked multi-valued attributes that fit into one object's record, less what its addresses take. */
const DIRECTORY_VALUES_MAX = 1200

const CAS_MAILBOX_FILTERABLE = [
  'ActiveSyncAllowedDeviceIDs',
  'ActiveSyncBlockedDeviceIDs',
  'ActiveSyncEnabled',
  'ActiveSyncMailboxPolicy',
  'DisplayName',
  'DistinguishedName',
  'EmailAddresses',
  'Guid',
  'HasActiveSyncDevicePartnership',
  'LegacyExchangeDN',
  'Name',
  'PrimarySmtpAddress',
  'SamAccountName',
  'ServerName',
]

const getCasMailbox: Cmdlet = {
  name: 'Get-CASMailbox',
  task: 'Microsoft.Exchange.Management.RecipientTasks.GetCASMailbox',
  parameters: {
    Identity: 'text',
    Filter: 'text',
    ResultSize: 'resultSize',
    SortBy: 'text',
    OrganizationalUnit: 'text',
    ReadFromDomainController: 'switch',
    RecalculateHasActiveSyncDevicePartnership: 'switch',
    ProtocolSettings: 'switch',
    SendMapiHttpDiagnostics: 'switch',
    GetImapProtocolLog: 'switch',
    GetPopProtocolLog: 'switch',
    Monitoring: 'switch',
    Credential: 'any',
    DomainController: 'text',
  },
  run(run) {
    return readMailboxes(run, {
      print: (mailbox) => printCasMailbox(mailbox, run.organization),
      properties: (mailbox) => casMailboxProperties(mailbox, run.organization),
      filterable: CAS_MAILBOX_FILTERABLE,
    })
  },
}

const getRecipient: Cmdlet = {
  name: 'Get-Recipient',
  task: 'Microsoft.Exchange.Management.RecipientTasks.GetRecipient',
  parameters: {
    Identity: 'text',
    Filter: 'text',
    ResultSize: 'resultSize',
    Properties: 'any',
    RecipientTypeDetails: 'any',
    RecipientType: 'any',
    ReadFromDomainController: 'switch',
    SortBy: 'text',
    OrganizationalUnit: 'text',
    DomainController: 'text',
  },
  run(run) {
    return readMailboxes(run, {
      print: (mailbox) => printRecipient(mailbox, run.organization),
      properties: recipientProperties,
      filterable: [...recipientPropertyNames],
    })
  },
}

const recipientPropertyNames = [
  'Alias',
  'DisplayName',
  'PrimarySmtpAddress',
  'EmailAddresses',
  'RecipientTypeDetails',
  'RecipientType',
  'SamAccountName',
  'Name',
  'DistinguishedName',
  'Guid',
]

const setCasMailbox: Cmdlet = {
  name: 'Set-CASMailbox',
  task: 'Microsoft.Exchange.Management.RecipientTasks.SetCASMailbox',
  parameters: {
    Identity: 'text',
    ActiveSyncAllowedDeviceIDs: 'list',
    ActiveSyncBlockedDeviceIDs: 'list',
    ActiveSyncDebugLogging: 'boolean',
    ActiveSyncEnabled: 'boolean',
    ActiveSyncMailboxPolicy: 'text',
    ActiveSyncSuppressReadReceipt: 'boolean',
    ResetAutoBlockedDevices: 'switch',
    OWAEnabled: 'boolean',
    OWAforDevicesEnabled: 'boolean',
    PopEnabled: 'boolean',
    ImapEnabled: 'boolean',
    MAPIEnabled: 'boolean',
    EwsEnabled: 'boolean',
    IgnoreDefaultScope: 'switch',
    DomainController: 'text',
    Confirm: 'switch',
    WhatIf: 'switch',
  },
  mandatory: ['Identity'],
  run(run) {
    const found = findMailbox(run, textOf(run.parameters, 'Identity') ?? '')
    return 'error' in found ? outcome({ errors: [found.error] }) : writeMailbox(run, found.object)
  },
}

export const CAS_MAILBOX_CMDLETS = [getCasMailbox, setCasMailbox, getRecipient]

function readMailboxes(run: CmdletRun, o: Parameters<typeof readObjects<Mailbox>>[2]): CmdletOutcome {
  const identity = textOf(run.parameters, 'Identity')
  if (identity === undefined) {
    if (isEmptyGiven(run.parameters, 'Identity')) run.ledger.emptyIdentities += 1
    return readObjects(run, run.organization.mailboxes, o)
  }
  const found = findMailbox(run, identity)
  return 'error' in found ? outcome({ errors: [found.error] }) : readObjects(run, [found.object], o)
}

function writeMailbox(run: CmdletRun, mailbox: Mailbox): CmdletOutcome {
  const lists = { ActiveSyncAllowedDeviceIDs: mailbox.allowed, ActiveSyncBlockedDeviceIDs: mailbox.blocked }
  for (const name of ['ActiveSyncAllowedDeviceIDs', 'ActiveSyncBlockedDeviceIDs'] as const) {
    const value = run.parameters.get(name)
    if (value === undefined) continue
    const change = changeMultiValue(lists[name], value)
    if (change === undefined) {
      const message = `Cannot process argument transformation on parameter '${name}'. Cannot convert value to type "Microsoft.Exchange.Data.MultiValuedProperty\`1[System.String]".`
      return outcome({ failed: bindingError(run.cmdlet, 'ParameterArgumentTransformationError', message, name) })
    }
    run.ledger.duplicateAdds += change.duplicates.length
    if (change.duplicates.length > 0 && run.duplicateAdd === 'error') {
      return outcome({ errors: [alreadyPresent(run, name, change.duplicates[0] ?? '')] })
    }
    lists[name] = change.list
  }
  if (lists.ActiveSyncAllowedDeviceIDs.length + lists.ActiveSyncBlockedDeviceIDs.length > DIRECTORY_VALUES_MAX) {
    return outcome({ errors: [administrativeLimitExceeded(run)] })
  }
  return run.parameters.get('WhatIf') === true ? outcome() : store(run, mailbox, lists)
}

function store(
  run: CmdletRun,
  mailbox: Mailbox,
  lists: { ActiveSyncAllowedDeviceIDs: string[]; ActiveSyncBlockedDeviceIDs: string[] },
): CmdletOutcome {
  const enabled = run.parameters.get('ActiveSyncEnabled')
  const policy = textOf(run.parameters, 'ActiveSyncMailboxPolicy')
  const isSame =
    sameList(lists.ActiveSyncAllowedDeviceIDs, mailbox.allowed) &&
    sameList(lists.ActiveSyncBlockedDeviceIDs, mailbox.blocked) &&
    (typeof enabled !== 'boolean' || enabled === mailbox.activeSyncEnabled) &&
    (policy === undefined || policy === mailbox.activeSyncMailboxPolicy)
  run.ledger.addWrite()
  if (isSame) {
    const text = `The command completed successfully but no settings of '${mailbox.source.canonicalName}' have been modified.`
    return outcome({ warnings: [text] })
  }
  if (typeof enabled === 'boolean') mailbox.activeSyncEnabled = enabled
  if (policy !== undefined) mailbox.activeSyncMailboxPolicy = policy
  run.organization.setLists(mailbox, {
    allowed: lists.ActiveSyncAllowedDeviceIDs,
    blocked: lists.ActiveSyncBlockedDeviceIDs,
  })
  return outcome()
}

function sameList(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((entry, index) => entry === other[index])
}

function alreadyPresent(run: CmdletRun, parameter: string, value: string) {
  return taskError(
    run,
    'InvalidOperationException',
    'System.InvalidOperationException',
    `The value "${value}" is already present in the collection ${parameter}.`,
  )
}
