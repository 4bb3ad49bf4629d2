import type { Device, Organization } from '../organization/organization.ts'
import { deviceProperties, printDevice, printDeviceStatistics } from '../organization/print-device.ts'
import { type Cmdlet, type CmdletOutcome, type CmdletRun, isEmptyGiven, outcome, textOf } from './cmdlet.ts'
import { findDevice, findMailbox } from './find-object.ts'
import { readObjects } from './read-objects.ts'

/** The whole list, from Get-MobileDevice's page. WhenChanged is not on it. */
const FILTERABLE = [
  'ClientType',
  'DeviceAccessControlRule',
  'DeviceAccessState',
  'DeviceAccessStateReason',
  'DeviceActiveSyncVersion',
  'DeviceId',
  'DeviceImei',
  'DeviceMobileOperator',
  'DeviceModel',
  'DeviceOS',
  'DeviceOSLanguage',
  'DeviceTelephoneNumber',
  'DeviceType',
  'DeviceUserAgent',
  'FirstSyncTime',
  'FriendlyName',
  'ProvisioningFlags',
  'UserDisplayName',
]

const getMobileDevice: Cmdlet = {
  name: 'Get-MobileDevice',
  task: 'Microsoft.Exchange.Management.Tasks.GetMobileDevice',
  parameters: {
    Identity: 'text',
    Mailbox: 'text',
    Filter: 'text',
    ResultSize: 'resultSize',
    SortBy: 'text',
    OrganizationalUnit: 'text',
    DomainController: 'text',
    Monitoring: 'switch',
    ActiveSync: 'switch',
    OWAforDevices: 'switch',
    RestApi: 'switch',
    UniversalOutlook: 'switch',
  },
  exclusive: ['Identity', 'Mailbox'],
  run(run) {
    const found = devicesAskedFor(run)
    if ('errors' in found) return found
    const { organization } = run
    const result = readObjects(run, found.devices, {
      print: (device) => printDevice(device, organization),
      properties: (device) => deviceProperties(device, organization),
      filterable: FILTERABLE,
    })
    leaveDiscovery(found.devices, organization)
    return result
  },
}

const getMobileDeviceStatistics: Cmdlet = {
  name: 'Get-MobileDeviceStatistics',
  task: 'Microsoft.Exchange.Management.Tasks.GetMobileDeviceStatistics',
  parameters: {
    Identity: 'text',
    Mailbox: 'text',
    ActiveSync: 'switch',
    OWAforDevices: 'switch',
    RestApi: 'switch',
    UniversalOutlook: 'switch',
    DomainController: 'text',
    GetMailboxLog: 'switch',
    NotificationEmailAddresses: 'any',
    ShowRecoveryPassword: 'switch',
  },
  exclusive: ['Identity', 'Mailbox'],
  run(run) {
    const found = devicesAskedFor(run)
    if ('errors' in found) return found
    return outcome({ output: found.devices.map((device) => printDeviceStatistics(device, run.organization)) })
  },
}

const clearMobileDevice: Cmdlet = {
  name: 'Clear-MobileDevice',
  task: 'Microsoft.Exchange.Management.Tasks.ClearMobileDevice',
  parameters: {
    Identity: 'text',
    NotificationEmailAddresses: 'any',
    Cancel: 'switch',
    AccountOnly: 'switch',
    DomainController: 'text',
    Confirm: 'switch',
    WhatIf: 'switch',
  },
  mandatory: ['Identity'],
  confirms: true,
  run(run) {
    const found = findDevice(run, textOf(run.parameters, 'Identity') ?? '')
    if ('error' in found) return outcome({ errors: [found.error] })
    if (run.parameters.get('WhatIf') === true) return outcome()
    found.object.wipeRequested = run.parameters.get('Cancel') === true ? undefined : new Date()
    run.ledger.addWrite()
    return outcome()
  },
}

const removeMobileDevice: Cmdlet = {
  name: 'Remove-MobileDevice',
  task: 'Microsoft.Exchange.Management.Tasks.RemoveMobileDevice',
  parameters: { Identity: 'text', DomainController: 'text', Confirm: 'switch', WhatIf: 'switch' },
  mandatory: ['Identity'],
  confirms: true,
  run(run) {
    const found = findDevice(run, textOf(run.parameters, 'Identity') ?? '')
    if ('error' in found) return outcome({ errors: [found.error] })
    if (run.parameters.get('WhatIf') === true) return outcome()
    run.organization.removeDevice(found.object)
    run.ledger.addWrite()
    return outcome()
  },
}

export const MOBILE_DEVICE_CMDLETS = [getMobileDevice, getMobileDeviceStatistics, clearMobileDevice, removeMobileDevice]

/** By Identity, else by Mailbox; with neither, or with an empty or null one, every device there is. */
function devicesAskedFor(run: CmdletRun): { devices: readonly Device[] } | CmdletOutcome {
  const identity = textOf(run.parameters, 'Identity')
  if (identity !== undefined) {
    const found = findDevice(run, identity)
    return 'error' in found ? outcome({ errors: [found.error] }) : { devices: [found.object] }
  }
  const mailbox = textOf(run.parameters, 'Mailbox')
  if (mailbox !== undefined) {
    const found = findMailbox(run, mailbox)
    return 'error' in found ? outcome({ errors: [found.error] }) : { devices: found.object.devices }
  }
  if (isEmptyGiven(run.parameters, 'Identity') || isEmptyGiven(run.parameters, 'Mailbox')) run.ledger.emptyIdentities += 1
  return { devices: run.organization.devices }
}

/** The state lasts up to 14 minutes; here, until it has been seen once. */
function leaveDiscovery(devices: readonly Device[], _organization: Organization): void {
  for (const device of devices) if (device.isInDiscovery) device.isInDiscovery = false
}
