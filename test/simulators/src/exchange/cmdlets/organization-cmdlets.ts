import { type DeviceRule, newGuid } from '../organization/organization.ts'
import { printClass, printMailboxPolicy, printRule, printServer, printSettings } from '../organization/print-configuration.ts'
import { type Cmdlet, type CmdletOutcome, type CmdletRun, isEmptyGiven, outcome, textOf } from './cmdlet.ts'
import { bindingError, notFound, taskError } from './error-records.ts'
import { changeMultiValue } from './multi-value.ts'
import { readObjects } from './read-objects.ts'

const ACCESS_LEVELS = ['Allow', 'Block', 'Quarantine'] as const
const CHARACTERISTICS = ['DeviceModel', 'DeviceType', 'DeviceOS', 'UserAgent', 'XMSWLHeader'] as const
const INSERT_LENGTH_MAX = 256
const TASKS = 'Microsoft.Exchange.Management.SystemConfigurationTasks'
const CONFIRM = { Confirm: 'switch', WhatIf: 'switch' } as const

const setAdServerSettings: Cmdlet = {
  name: 'Set-ADServerSettings',
  task: `${TASKS}.SetADServerSettings`,
  parameters: {
    ViewEntireForest: 'boolean',
    PreferredServer: 'text',
    PreferredGlobalCatalog: 'text',
    ConfigurationDomainController: 'text',
    SetPreferredDomainControllers: 'any',
    RecipientViewRoot: 'text',
    ...CONFIRM,
  },
  run: () => outcome(),
}

const getExchangeServer: Cmdlet = {
  name: 'Get-ExchangeServer',
  task: `${TASKS}.GetExchangeServer`,
  parameters: { Identity: 'text', Domain: 'text', Status: 'switch', DomainController: 'text' },
  exclusive: ['Identity', 'Domain'],
  run(run) {
    const { organization } = run
    return readNamed(run, organization.servers, {
      names: (server) => [server.name, server.fqdn, server.guid, server.distinguishedName],
      print: (server) => printServer(server, organization),
    })
  },
}

const getSettings: Cmdlet = {
  name: 'Get-ActiveSyncOrganizationSettings',
  task: 'Microsoft.Exchange.Management.Tasks.GetActiveSyncOrganizationSettings',
  parameters: { Identity: 'text', DomainController: 'text' },
  run: (run) => outcome({ output: [printSettings(run.organization)] }),
}

const setSettings: Cmdlet = {
  name: 'Set-ActiveSyncOrganizationSettings',
  task: 'Microsoft.Exchange.Management.Tasks.SetActiveSyncOrganizationSettings',
  parameters: {
    Identity: 'text',
    DefaultAccessLevel: ACCESS_LEVELS,
    AdminMailRecipients: 'list',
    UserMailInsert: 'text',
    OtaNotificationMailInsert: 'text',
    AllowAccessForUnSupportedPlatform: 'boolean',
    DomainController: 'text',
    ...CONFIRM,
  },
  run(run) {
    const { settings } = run.organization
    const recipients = run.parameters.get('AdminMailRecipients')
    const change = recipients === undefined ? undefined : changeMultiValue(settings.adminMailRecipients, recipients)
    for (const name of ['UserMailInsert', 'OtaNotificationMailInsert']) {
      if ((textOf(run.parameters, name) ?? '').length > INSERT_LENGTH_MAX) return outcome({ failed: tooLong(run, name) })
    }
    if (run.parameters.get('WhatIf') === true) return outcome()
    const level = ACCESS_LEVELS.find((each) => each === run.parameters.get('DefaultAccessLevel'))
    if (level !== undefined) settings.defaultAccessLevel = level
    if (change !== undefined) settings.adminMailRecipients = change.list
    if (run.parameters.has('UserMailInsert')) settings.userMailInsert = textOf(run.parameters, 'UserMailInsert') ?? ''
    if (run.parameters.has('OtaNotificationMailInsert')) {
      settings.otaNotificationMailInsert = textOf(run.parameters, 'OtaNotificationMailInsert') ?? ''
    }
    return changed(run)
  },
}

const getRule: Cmdlet = {
  name: 'Get-ActiveSyncDeviceAccessRule',
  task: 'Microsoft.Exchange.Management.Tasks.GetActiveSyncDeviceAccessRule',
  parameters: { Identity: 'text', DomainController: 'text' },
  run(run) {
    return readNamed(run, run.organization.rules, {
      names: ruleNames,
      print: (rule) => printRule(rule, run.organization),
    })
  },
}

const newRule: Cmdlet = {
  name: 'New-ActiveSyncDeviceAccessRule',
  task: 'Microsoft.Exchange.Management.Tasks.NewActiveSyncDeviceAccessRule',
  parameters: {
    AccessLevel: ACCESS_LEVELS,
    Characteristic: CHARACTERISTICS,
    QueryString: 'text',
    DomainController: 'text',
    ...CONFIRM,
  },
  mandatory: ['AccessLevel', 'Characteristic', 'QueryString'],
  run(run) {
    const characteristic = String(run.parameters.get('Characteristic'))
    const queryString = String(run.parameters.get('QueryString'))
    const name = `${queryString} (${characteristic})`
    if (run.organization.rules.some((rule) => rule.name.toLowerCase() === name.toLowerCase())) {
      const type = 'Microsoft.Exchange.Data.Directory.ADObjectAlreadyExistsException'
      const message = `The Exchange ActiveSync device access rule '${name}' already exists.`
      return outcome({ errors: [taskError(run, 'ADObjectAlreadyExistsException', type, message)] })
    }
    const accessLevel = run.parameters.get('AccessLevel') as DeviceRule['accessLevel']
    const rule: DeviceRule = { guid: newGuid(), name, characteristic, queryString, accessLevel }
    if (run.parameters.get('WhatIf') === true) return outcome()
    run.organization.rules.push(rule)
    return { ...changed(run), output: [printRule(rule, run.organization)] }
  },
}

const setRule: Cmdlet = {
  name: 'Set-ActiveSyncDeviceAccessRule',
  task: 'Microsoft.Exchange.Management.Tasks.SetActiveSyncDeviceAccessRule',
  parameters: { Identity: 'text', AccessLevel: ACCESS_LEVELS, DomainController: 'text', ...CONFIRM },
  mandatory: ['Identity'],
  run(run) {
    const rule = findRule(run)
    if (rule === undefined) return outcome({ errors: [notFound(run, textOf(run.parameters, 'Identity') ?? '')] })
    if (run.parameters.get('WhatIf') === true) return outcome()
    rule.accessLevel = (run.parameters.get('AccessLevel') as DeviceRule['accessLevel'] | undefined) ?? rule.accessLevel
    return changed(run)
  },
}

const removeRule: Cmdlet = {
  name: 'Remove-ActiveSyncDeviceAccessRule',
  task: 'Microsoft.Exchange.Management.Tasks.RemoveActiveSyncDeviceAccessRule',
  parameters: { Identity: 'text', DomainController: 'text', ...CONFIRM },
  mandatory: ['Identity'],
  confirms: true,
  run(run) {
    const rule = findRule(run)
    if (rule === undefined) return outcome({ errors: [notFound(run, textOf(run.parameters, 'Identity') ?? '')] })
    if (run.parameters.get('WhatIf') === true) return outcome()
    run.organization.rules = run.organization.rules.filter((each) => each !== rule)
    return changed(run)
  },
}

const getClass: Cmdlet = {
  name: 'Get-ActiveSyncDeviceClass',
  task: 'Microsoft.Exchange.Management.Tasks.GetActiveSyncDeviceClass',
  parameters: { Identity: 'text', Filter: 'text', SortBy: 'text', DomainController: 'text' },
  run(run) {
    const { organization } = run
    const identity = textOf(run.parameters, 'Identity')
    const classes = organization.classes.filter((each) => {
      return identity === undefined || identity === each.guid || identity === `${each.deviceType}§${each.deviceModel}`
    })
    if (identity !== undefined && classes.length === 0) return outcome({ errors: [notFound(run, identity)] })
    const unlimited = new Map(run.parameters).set('ResultSize', null)
    return readObjects({ ...run, parameters: unlimited }, classes, {
      print: (each) => printClass(each, organization),
      properties: (each) =>
        new Map([
          ['devicetype', each.deviceType],
          ['devicemodel', each.deviceModel],
          ['lastupdatetime', each.lastUpdateTime],
        ]),
      filterable: ['DeviceModel', 'DeviceType', 'LastUpdateTime'],
    })
  },
}

const getMailboxPolicy: Cmdlet = {
  name: 'Get-MobileDeviceMailboxPolicy',
  task: 'Microsoft.Exchange.Management.Tasks.GetMobileMailboxPolicy',
  parameters: { Identity: 'text', DomainController: 'text' },
  run(run) {
    const names = new Set(['Default', ...run.organization.mailboxes.map((mailbox) => mailbox.activeSyncMailboxPolicy)])
    return readNamed(run, [...names], { names: (name) => [name], print: (name) => printMailboxPolicy(name, run.organization) })
  },
}

export const ORGANIZATION_CMDLETS = [
  setAdServerSettings,
  getExchangeServer,
  getSettings,
  setSettings,
  getRule,
  newRule,
  setRule,
  removeRule,
  getClass,
  getMailboxPolicy,
]

function readNamed<T>(
  run: CmdletRun,
  objects: readonly T[],
  o: { names: (object: T) => readonly string[]; print: (object: T) => string },
): CmdletOutcome {
  const identity = textOf(run.parameters, 'Identity')?.toLowerCase()
  if (isEmptyGiven(run.parameters, 'Identity')) run.ledger.emptyIdentities += 1
  const chosen =
    identity === undefined ? objects : objects.filter((each) => o.names(each).some((name) => name.toLowerCase() === identity))
  if (identity !== undefined && chosen.length === 0) {
    return outcome({ errors: [notFound(run, textOf(run.parameters, 'Identity') ?? '')] })
  }
  return outcome({ output: chosen.map(o.print) })
}

function findRule(run: CmdletRun): DeviceRule | undefined {
  const identity = textOf(run.parameters, 'Identity')?.toLowerCase()
  return run.organization.rules.find((rule) => ruleNames(rule).some((name) => name.toLowerCase() === identity))
}

function ruleNames(rule: DeviceRule): string[] {
  return [rule.name, rule.guid]
}

function changed(run: CmdletRun): CmdletOutcome {
  run.organization.revision += 1
  run.ledger.addWrite()
  return outcome()
}

function tooLong(run: CmdletRun, name: string) {
  const message = `Cannot process argument transformation on parameter '${name}'. The length of the property is too long. The maximum length is ${INSERT_LENGTH_MAX} and the length of the value provided is ${textOf(run.parameters, name)?.length}.`
  return bindingError(run.cmdlet, 'ParameterArgumentTransformationError', message, name)
}
