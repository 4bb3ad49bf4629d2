import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { isPsObject, type PsValue } from '../../../libs/powershell/src/protocol/index.ts'
import { buildPowerShellHost, POWERSHELL_MODULES, restrictedConfiguration } from '../../environment/powershell-host.ts'
import { createPopulation } from '../../simulators/src/index.ts'
import { PowerShellSession, propertiesOf, type SessionResult } from './powershell-session.ts'
import { runPowerShell } from './run-powershell.ts'

const executable = await buildPowerShellHost()
const here = executable === undefined ? 'the Exchange module (not here: no .NET 10 SDK)' : 'the Exchange module'
const seed = JSON.parse(await readFile(join(dirname(POWERSHELL_MODULES.exchange), 'organization.json'), 'utf8')) as {
  mailboxes: { name: string; guid: string; partnerships: { deviceId: string; friendlyName: string }[] }[]
}
const ANNA = 'user1@contoso.com'

describe.skipIf(executable === undefined)(`${here} behind a NoLanguage endpoint`, () => {
  let session: PowerShellSession
  const invoke = (name: string, parameters: Record<string, PsValue> = {}) => session.invoke(name, parameters)
  const allowedIds = async () => propertiesOf(await invoke('Get-CASMailbox', { Identity: ANNA })).ActiveSyncAllowedDeviceIDs
  const setAllowed = (value: PsValue) => invoke('Set-CASMailbox', { Identity: ANNA, ActiveSyncAllowedDeviceIDs: value })

  beforeAll(async () => {
    session = await PowerShellSession.start(executable ?? '', ['-ConfigurationFile', await restrictedConfiguration()])
  })
  beforeEach(async () => {
    await invoke('Initialize-Organization')
  })
  afterAll(async () => {
    await session?.[Symbol.asyncDispose]()
  })

  it('shows its functions, and of PowerShell only what every restricted session has', async () => {
    const names = propertiesOfAll(await invoke('Get-Command'), 'Name')

    const exported = /FunctionsToExport\s*=\s*@\(([^)]*)\)/.exec(await readFile(POWERSHELL_MODULES.exchange, 'utf8'))?.[1]
    const functions = exported?.match(/[A-Z]\w+-\w+/g) ?? []
    const always = [
      'Clear-Host',
      'Exit-PSSession',
      'Get-Command',
      'Get-FormatData',
      'Get-Help',
      'Measure-Object',
      'Out-Default',
      'Select-Object',
    ]
    expect(names.toSorted()).toEqual([...functions, ...always].toSorted())
  })

  it('refuses a script by the text that Exchange has for it', async () => {
    const { failed, output } = await session.invokeScript('Get-Date')

    expect(output).toEqual([])
    expect(failed?.message).toBe(
      'The syntax is not supported by this runspace. This can occur if the runspace is in no-language mode.',
    )
    expect(failed?.fullyQualifiedErrorId).toMatch(/^ScriptsNotAllowed/)
  })

  it.each(['Get-Process', 'Write-Output', 'Invoke-Expression'])('does not know %s', async (name) => {
    const { failed } = await invoke(name)

    expect(failed?.fullyQualifiedErrorId).toBe('CommandNotFoundException')
  })

  it('finds a mailbox by each of its names, whatever their case', async () => {
    const [mailbox] = seed.mailboxes
    for (const identity of [mailbox?.guid ?? '', ANNA.toUpperCase(), 'contoso\\USER1', 'contoso.com/People/anna schmidt']) {
      expect(propertiesOf(await invoke('Get-CASMailbox', { Identity: identity })).Guid).toBe(mailbox?.guid)
    }
  })

  it('answers with every mailbox when the identity is left out', async () => {
    expect((await invoke('Get-CASMailbox')).output.length).toBe(seed.mailboxes.length)
  })

  it('says as Exchange does that an object is not there', async () => {
    const { output, errors, failed } = await invoke('Get-CASMailbox', { Identity: '$(nobody)' })

    expect({ output, failed }).toEqual({ output: [], failed: undefined })
    expect(errors).toMatchObject([
      {
        message: "The operation couldn't be performed because object '$(nobody)' couldn't be found on 'dc01.contoso.com'.",
        category: 'NotSpecified',
        exceptionType: 'Microsoft.Exchange.Configuration.Tasks.ManagementObjectNotFoundException',
      },
    ])
    expect(errors[0]?.fullyQualifiedErrorId).toMatch(
      /^\[Server=EX01,RequestId=[0-9a-f-]{36},TimeStamp=[^\]]+\] \[FailureCategory=Cmdlet-ManagementObjectNotFoundException\] [0-9A-F]+,Microsoft\.Exchange\.Management\.RecipientTasks\.GetCASMailbox$/,
    )
  })

  it('says as Exchange does that a name is that of two', async () => {
    const { errors } = await invoke('Set-CASMailbox', { Identity: 'Anna Schmidt', ActiveSyncEnabled: false })

    expect(errors).toMatchObject([
      {
        message: "The operation couldn't be performed because 'Anna Schmidt' matches multiple entries.",
        exceptionType: 'Microsoft.Exchange.Configuration.Tasks.ManagementObjectAmbiguousException',
      },
    ])
    expect(errors[0]?.fullyQualifiedErrorId).toMatch(/,Microsoft\.Exchange\.Management\.RecipientTasks\.SetCASMailbox$/)
  })

  it('adds and removes by a hashtable, without case and without spaces around', async () => {
    await setAllowed({ Add: ['ONE', ' two '], Remove: [] })
    await setAllowed({ add: ['Three', 'one'], remove: ['TWO'] })

    expect(await allowedIds()).toEqual(['APPLF17Q4XYZ', 'ONE', 'Three'])
  })

  it('replaces by a list or by one text, and empties by null', async () => {
    await setAllowed(['A', 'a', 'B'])
    expect(await allowedIds()).toEqual(['A', 'B'])

    await setAllowed('ONLY')
    expect(await allowedIds()).toEqual(['ONLY'])

    await setAllowed(null)
    expect(await allowedIds()).toEqual([])
  })

  it.each<{ value: PsValue }>([
    { value: { Change: ['A'] } },
    { value: { Add: [1] } },
    { value: [null] },
    { value: [{ Add: 'x' }] },
    { value: 7 },
  ])('refuses $value as a list', async ({ value }) => {
    const { failed } = await setAllowed(value)

    expect(failed?.fullyQualifiedErrorId).toBe('ParameterArgumentTransformationError,Set-CASMailbox')
    expect(await allowedIds()).toEqual(['APPLF17Q4XYZ'])
  })

  it('refuses to set without an identity, instead of asking for one', async () => {
    const { failed } = await invoke('Set-CASMailbox', { ActiveSyncEnabled: false })

    expect(failed?.fullyQualifiedErrorId).toBe('MissingMandatoryParameter,Set-CASMailbox')
  })

  it('warns when nothing was modified', async () => {
    const { warnings } = await setAllowed({ Add: ['applf17q4xyz'] })

    expect(warnings).toEqual([
      "The command completed successfully but no settings of 'contoso.com/People/Anna Schmidt' have been modified.",
    ])
  })

  it('takes no more values than the directory has room for', async () => {
    const { errors } = await setAllowed(Array.from({ length: 1_201 }, (_, n) => `ID${n}`))

    expect(errors[0]?.message).toContain('The administrative limit for this request was exceeded')
    expect(await allowedIds()).toEqual(['APPLF17Q4XYZ'])
  })

  it('changes nothing with WhatIf', async () => {
    await invoke('Set-CASMailbox', { Identity: ANNA, ActiveSyncAllowedDeviceIDs: null, WhatIf: true })

    expect(await allowedIds()).toEqual(['APPLF17Q4XYZ'])
  })

  it('gives hostile names as they are', async () => {
    const names = propertiesOfAll(await invoke('Get-MobileDevice'), 'FriendlyName')

    expect(names).toEqual(seed.mailboxes.flatMap(({ partnerships }) => partnerships.map((each) => each.friendlyName)))
  })

  it('lets the lists of the mailbox decide on its devices', async () => {
    const states = async () => propertiesOfAll(await invoke('Get-MobileDevice', { Mailbox: ANNA }), 'DeviceAccessState')
    expect(await states()).toEqual(['Allowed', 'Quarantined'])

    await invoke('Set-CASMailbox', {
      Identity: ANNA,
      ActiveSyncBlockedDeviceIDs: { Add: ['applf17q4xyz', 'ANDROIDC1234567890'] },
    })

    expect(await states()).toEqual(['Blocked', 'Blocked'])
  })

  it('filters by conditions, and refuses a property that it cannot filter by', async () => {
    const anna = await invoke('Get-CASMailbox', { Filter: `HasActiveSyncDevicePartnership -eq $true -and Name -like 'anna*'` })
    const wrong = await invoke('Get-CASMailbox', { Filter: 'WhenChanged -ne $null' })

    expect(anna.output.length).toBe(2)
    expect(wrong.failed?.message).toContain('"WhenChanged" is not a recognized filterable property.')
  })

  it('shows the configuration of the organisation', async () => {
    expect(propertiesOfAll(await invoke('Get-ExchangeServer'), 'Fqdn')).toEqual(['ex01.contoso.com', 'ex02.contoso.com'])
    expect(propertiesOf(await invoke('Get-ActiveSyncOrganizationSettings')).DefaultAccessLevel).toBe('Quarantine')
    expect(propertiesOfAll(await invoke('Get-ActiveSyncDeviceAccessRule'), 'Characteristic')).toEqual([
      'DeviceModel',
      'DeviceType',
    ])
    expect(propertiesOfAll(await invoke('Get-MobileDeviceMailboxPolicy'), 'IsDefault')).toEqual([true])
    expect((await invoke('Get-ActiveSyncDeviceClass')).output.length).toBeGreaterThan(3)
    expect(await invoke('Set-ADServerSettings', { ViewEntireForest: true })).toMatchObject({ errors: [], failed: undefined })
  })

  it('has one object of every type for the decoder', async () => {
    const { output, failed } = await invoke('Test-Types')

    expect(failed).toBeUndefined()
    expect(output.length).toBeGreaterThan(40)
  })
})

describe.skipIf(executable === undefined)(`${here} with an organisation from a file`, () => {
  let folder: string
  let environment: Record<string, string>
  const load = `Import-Module '${POWERSHELL_MODULES.exchange}'`

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'gatehouse-organization-'))
    const { organization, mailboxes } = createPopulation({ devices: 1_100, seed: 5 })
    environment = { GATEHOUSE_ORGANIZATION: join(folder, 'organization.json') }
    await writeFile(environment.GATEHOUSE_ORGANIZATION ?? '', JSON.stringify({ organization, mailboxes }))
  })
  afterAll(async () => {
    await rm(folder, { recursive: true, force: true })
  })

  it('returns the first 1000 and says so, unless it is told how many', async () => {
    const counts = await runPowerShell(
      executable ?? '',
      `${load}
      foreach ($parameters in @{}, @{ ResultSize = 'Unlimited' }, @{ ResultSize = 7 }) {
        $devices = @(Get-MobileDevice @parameters -WarningVariable warnings -WarningAction SilentlyContinue)
        @{ count = $devices.Count; warnings = @($warnings | ForEach-Object Message) }
      }`,
      environment,
    )

    expect(counts).toEqual([
      { count: 1_000, warnings: [expect.stringMatching(/^By default, only the first 1000 items are returned\./)] },
      { count: 1_100, warnings: [] },
      { count: 7, warnings: [expect.stringMatching(/^There are more results available than are currently displayed\./)] },
    ])
  })

  it('is one for all runspaces of the process: changes made at once are all kept', async () => {
    const kept = await runPowerShell(
      executable ?? '',
      `$state = [initialsessionstate]::CreateDefault2(); $state.ImportPSModule('${POWERSHELL_MODULES.exchange}')
      $pool = [runspacefactory]::CreateRunspacePool(1, 4, $state, $Host); $pool.Open()
      ${load}
      $guid = (Get-CASMailbox -ResultSize 1 -WarningAction SilentlyContinue).Guid
      Set-CASMailbox $guid -ActiveSyncBlockedDeviceIDs $null -WarningAction SilentlyContinue
      $running = foreach ($n in 1..60) {
        $shell = [powershell]::Create(); $shell.RunspacePool = $pool
        [void] $shell.AddCommand('Set-CASMailbox').AddParameter('Identity', $guid).AddParameter('ActiveSyncBlockedDeviceIDs', @{ Add = "ID$n" })
        @{ Shell = $shell; Waiting = $shell.BeginInvoke() }
      }
      foreach ($each in $running) { [void] $each.Shell.EndInvoke($each.Waiting) }
      $pool.Close()
      @((Get-CASMailbox $guid).ActiveSyncBlockedDeviceIDs).Count`,
      environment,
    )

    expect(kept).toEqual([60])
  })
})

function propertiesOfAll({ output }: SessionResult, name: string): unknown[] {
  return output.map((each) => (isPsObject(each) ? each.properties[name] : undefined))
}
