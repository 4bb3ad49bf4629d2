import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { ExchangeState } from '../src/exchange/exchange-state.ts'
import {
  type ExchangeSimulator,
  type ExchangeSimulatorOptions,
  startExchangeSimulator,
} from '../src/exchange/start-exchange-simulator.ts'
import { createPopulation } from '../src/population/create-population.ts'
import type { Population } from '../src/population/population.ts'
import { RawShell } from './raw-exchange-client.ts'

let population: Population
let simulator: ExchangeSimulator
let shell: RawShell

async function start(o: Partial<ExchangeSimulatorOptions> = {}) {
  simulator = await startExchangeSimulator({ population, port: 0, latencyMs: 0, ...o })
  shell = await new RawShell(simulator).open()
}

beforeEach(async () => {
  population = createPopulation({ devices: 120, seed: 5 })
  await start()
})
afterEach(async () => {
  await simulator.stop()
})

async function readState(): Promise<ExchangeState> {
  return (await (await fetch(`${simulator.simulatorUrl}/state`)).json()) as ExchangeState
}
async function tell(route: string, body: unknown) {
  return (await fetch(`${simulator.simulatorUrl}/${route}`, { method: 'POST', body: JSON.stringify(body) })).status
}
function mailboxAt(index: number) {
  const mailbox = population.mailboxes[index]
  const device = mailbox?.partnerships[0]
  if (mailbox === undefined || device === undefined) throw new Error('the population is too small')
  return { mailbox, device }
}

describe('a NoLanguage session', () => {
  it('refuses a script in Microsoft words', async () => {
    const result = await shell.invokeEdited('Get-Mailbox', {}, '<B N="IsScript">false</B>', '<B N="IsScript">true</B>')

    expect(result.state).toBe('failed')
    expect(result.reason?.message).toBe(
      'The syntax is not supported by this runspace. This can occur if the runspace is in no-language mode.',
    )
  })
  it('knows no other cmdlets and parameters than its own', async () => {
    const unknown = await shell.invoke('Get-Process')
    const parameter = await shell.invoke('Get-CASMailbox', { Nonsense: 1 })
    const missing = await shell.invoke('Set-CASMailbox', { ActiveSyncEnabled: true })
    const nothing = await shell.invokeEdited('Set-CASMailbox', { Identity: 'NOBODY' }, '<S N="V">NOBODY</S>', '<Nil N="V"/>')

    expect([unknown.state, unknown.reason?.fullyQualifiedErrorId]).toEqual(['failed', 'CommandNotFoundException'])
    expect(parameter.reason?.fullyQualifiedErrorId).toBe('NamedParameterNotFound,Get-CASMailbox')
    expect(missing.reason?.fullyQualifiedErrorId).toBe('MissingMandatoryParameter,Set-CASMailbox')
    expect(nothing.reason?.fullyQualifiedErrorId).toBe('ParameterArgumentValidationErrorNullNotAllowed,Set-CASMailbox')
  })
  it('lists in Get-Command only what the account may run', async () => {
    await simulator.stop()
    await start({ hiddenCmdlets: ['Clear-MobileDevice'] })

    const all = await shell.invoke('Get-Command')
    const some = await shell.invoke('Get-Command', { Name: ['Get-CASMailbox', 'Clear-MobileDevice'] })

    expect(all.texts).toContain('Set-CASMailbox')
    expect(all.texts).not.toContain('Clear-MobileDevice')
    expect(some.output.map((each) => each.Name)).toEqual(['Get-CASMailbox'])
    expect(some.errors[0]?.fullyQualifiedErrorId).toContain('CommandNotFoundException')
    expect((await shell.invoke('Clear-MobileDevice', { Identity: 'x' })).reason?.fullyQualifiedErrorId).toBe(
      'CommandNotFoundException',
    )
  })
})

describe('reads', () => {
  it('stop at a thousand unless told otherwise', async () => {
    await simulator.stop()
    population = createPopulation({ devices: 1001, seed: 5 })
    await start()

    const first = await shell.invoke('Get-MobileDevice')
    const all = await shell.invoke('Get-MobileDevice', { ResultSize: 'Unlimited' })
    const ten = await shell.invoke('Get-MobileDevice', { ResultSize: 10 })

    expect([first.output.length, all.output.length, ten.output.length]).toEqual([1000, 1001, 10])
    expect(first.warnings[0]).toContain('By default, only the first 1000 items are returned')
    expect(all.warnings).toEqual([])
    expect(ten.warnings[0]).toContain('There are more results available')
  })
  it('find one by guid, by distinguished name, by identity and by address', async () => {
    const { mailbox, device } = mailboxAt(7)

    for (const identity of [device.guid, device.distinguishedName, device.identity]) {
      expect((await shell.invoke('Get-MobileDevice', { Identity: identity })).output.map((each) => each.Guid)).toEqual([
        device.guid,
      ])
    }
    for (const identity of [mailbox.guid.toUpperCase(), mailbox.distinguishedName, mailbox.primarySmtpAddress]) {
      expect((await shell.invoke('Get-CASMailbox', { Identity: identity })).output.map((each) => each.Guid)).toEqual([
        mailbox.guid,
      ])
    }
    const ofMailbox = await shell.invoke('Get-MobileDevice', { Mailbox: mailbox.guid })
    expect(ofMailbox.output.map((each) => each.Guid)).toEqual(mailbox.partnerships.map((each) => each.guid))
  })
  it('say what they did not find, and go on', async () => {
    const result = await shell.invoke('Get-CASMailbox', { Identity: 'nobody@contoso.com' })

    expect(result).toMatchObject({ state: 'completed', output: [] })
    expect(result.errors[0]?.message).toMatch(
      /^The operation couldn't be performed because object 'nobody@contoso.com' couldn't be found on/,
    )
    expect(result.errors[0]?.fullyQualifiedErrorId).toMatch(
      /^\[Server=\w+,RequestId=[\w-]+,TimeStamp=[^\]]+\] \[FailureCategory=Cmdlet-ManagementObjectNotFoundException\] [0-9A-F]+,Microsoft\.Exchange\.Management\.RecipientTasks\.GetCASMailbox$/,
    )
  })
  it('answer an empty identity with everything, which is the trap it is', async () => {
    const nobody = ['<S N="V">NOBODY</S>', '<Nil N="V"/>'] as const
    const devices = await shell.invokeEdited('Get-MobileDevice', { Identity: 'NOBODY' }, ...nobody)
    const statistics = await shell.invokeEdited('Get-MobileDeviceStatistics', { Mailbox: 'NOBODY' }, ...nobody)

    expect([devices.output.length, statistics.output.length]).toEqual([120, 120])
    expect(await readState()).toMatchObject({ emptyIdentities: 2 })
  })
  it('filter on the properties Microsoft lists', async () => {
    const result = await shell.invoke('Get-CASMailbox', {
      Filter: 'HasActiveSyncDevicePartnership -eq $true',
      ResultSize: 'Unlimited',
    })
    const refused = await shell.invoke('Get-MobileDevice', { Filter: "WhenChangedUTC -gt '2026-01-01'" })

    expect(result.output.length).toBe(population.mailboxes.filter((mailbox) => mailbox.partnerships.length > 0).length)
    expect(refused.reason?.message).toContain('"WhenChangedUTC" is not a recognized filterable property')
  })
  it('show DeviceDiscovery once, and then what lists, rules and default make of the device', async () => {
    const guid =
      population.mailboxes.flatMap((mailbox) => mailbox.partnerships).find((each) => each.isInDeviceDiscovery)?.guid ?? ''

    const first = await shell.invoke('Get-MobileDevice', { Identity: guid })
    const second = await shell.invoke('Get-MobileDevice', { Identity: guid })

    expect(first.output[0]?.DeviceAccessState).toBe('DeviceDiscovery')
    expect(second.output[0]?.DeviceAccessState).not.toBe('DeviceDiscovery')
  })
  it.each([
    ['Get-ActiveSyncOrganizationSettings', 'DefaultAccessLevel'],
    ['Get-ActiveSyncDeviceAccessRule', 'QueryString'],
    ['Get-ActiveSyncDeviceClass', 'DeviceModel'],
    ['Get-MobileDeviceMailboxPolicy', 'AllowNonProvisionableDevices'],
    ['Get-ExchangeServer', 'AdminDisplayVersion'],
    ['Get-Recipient', 'PrimarySmtpAddress'],
  ])('answer %s with objects that have %s', async (name, property) => {
    const result = await shell.invoke(name)

    expect(result.output.length).toBeGreaterThan(0)
    expect(result.output[0]).toHaveProperty(property)
  })
})

describe('writes', () => {
  it('change a list by Add and Remove, without output, and the state follows', async () => {
    const { mailbox, device } = mailboxAt(11)
    const identity = { Identity: mailbox.guid }

    const added = await shell.invoke('Set-CASMailbox', {
      ...identity,
      ActiveSyncAllowedDeviceIDs: { Add: [device.deviceId, 'EXTRA1'], Remove: [] },
      ActiveSyncBlockedDeviceIDs: { Remove: [device.deviceId] },
    })
    const allowed = await shell.invoke('Get-MobileDevice', { Identity: device.guid })
    await shell.invoke('Set-CASMailbox', { ...identity, ActiveSyncAllowedDeviceIDs: { Remove: ['extra1'] } })
    const read = await shell.invoke('Get-CASMailbox', identity)

    expect(added).toMatchObject({ state: 'completed', output: [], errors: [], warnings: [] })
    expect(allowed.output[0]).toMatchObject({ DeviceAccessState: 'Allowed', DeviceAccessStateReason: 'Individual' })
    expect(listOf(read.output[0]?.ActiveSyncAllowedDeviceIDs)).toContain(device.deviceId)
    expect(listOf(read.output[0]?.ActiveSyncAllowedDeviceIDs)).not.toContain('EXTRA1')
    expect(await readState()).toMatchObject({ cmdlets: { 'Set-CASMailbox': 2 }, writes: 2, duplicateAdds: 0 })
  })
  it('count an id that is added twice, and warn when nothing has changed', async () => {
    const { mailbox } = mailboxAt(12)
    const add = { Identity: mailbox.guid, ActiveSyncAllowedDeviceIDs: { Add: 'SAME1' } }

    await shell.invoke('Set-CASMailbox', add)
    const again = await shell.invoke('Set-CASMailbox', { ...add, ActiveSyncAllowedDeviceIDs: { Add: 'same1' } })

    expect(again.errors).toEqual([])
    expect(again.warnings[0]).toContain('The command completed successfully but no settings of')
    expect(await readState()).toMatchObject({ duplicateAdds: 1 })
  })
  it('replace with a list, clear with null, and stop at what the directory holds', async () => {
    const { mailbox } = mailboxAt(13)
    const set = (ids: string[] | null) =>
      shell.invoke('Set-CASMailbox', { Identity: mailbox.guid, ActiveSyncBlockedDeviceIDs: ids })

    await set(['A', 'B'])
    expect((await readState()).lists?.[mailbox.guid]?.blocked).toEqual(['A', 'B'])
    await set(null)
    expect((await readState()).lists?.[mailbox.guid]?.blocked).toEqual([])
    const tooMany = await set(Array.from({ length: 1201 }, (_, index) => `ID${index}`))
    expect(tooMany.errors[0]?.message).toContain('The administrative limit for this request was exceeded')
  })
  it('do nothing with -WhatIf and ask nobody without -Confirm:$false', async () => {
    const { mailbox, device } = mailboxAt(14)

    await shell.invoke('Set-CASMailbox', { Identity: mailbox.guid, ActiveSyncAllowedDeviceIDs: ['X'], WhatIf: true })
    const asked = await shell.invoke('Remove-MobileDevice', { Identity: device.guid })
    const sure = await shell.invoke('Remove-MobileDevice', { Identity: device.guid, Confirm: false })
    const gone = await shell.invoke('Get-MobileDevice', { Identity: device.guid })

    expect((await readState()).lists?.[mailbox.guid]?.allowed).not.toContain('X')
    expect(asked.reason?.fullyQualifiedErrorId).toContain('HostFunctionNotImplemented')
    expect(sure).toMatchObject({ state: 'completed', errors: [] })
    expect(gone.errors.length).toBe(1)
  })
  it('request and cancel a wipe', async () => {
    const { device } = mailboxAt(15)
    const status = async () => (await shell.invoke('Get-MobileDeviceStatistics', { Identity: device.guid })).output[0]?.Status

    await shell.invoke('Clear-MobileDevice', { Identity: device.guid, Confirm: false })
    const pending = await status()
    await shell.invoke('Clear-MobileDevice', { Identity: device.guid, Cancel: true, Confirm: false })

    expect([pending, await status()]).toEqual(['DeviceWipePending', 'DeviceOk'])
  })
  it('keep rules and settings of the organisation', async () => {
    const rule = { Characteristic: 'DeviceModel', QueryString: 'ContosoPhone', AccessLevel: 'Block' }

    const made = await shell.invoke('New-ActiveSyncDeviceAccessRule', rule)
    const twice = await shell.invoke('New-ActiveSyncDeviceAccessRule', rule)
    await shell.invoke('Set-ActiveSyncDeviceAccessRule', { Identity: 'ContosoPhone (DeviceModel)', AccessLevel: 'allow' })
    const read = await shell.invoke('Get-ActiveSyncDeviceAccessRule', { Identity: 'ContosoPhone (DeviceModel)' })
    await shell.invoke('Set-ActiveSyncOrganizationSettings', {
      DefaultAccessLevel: 'Block',
      AdminMailRecipients: { Add: ['a@b.c'] },
    })
    const settings = await shell.invoke('Get-ActiveSyncOrganizationSettings')
    const nonsense = await shell.invoke('Set-ActiveSyncOrganizationSettings', { DefaultAccessLevel: 'Perhaps' })

    expect(made.output[0]?.Name).toBe('ContosoPhone (DeviceModel)')
    expect(twice.errors[0]?.message).toContain('already exists')
    expect(read.output[0]?.AccessLevel).toBe('Allow')
    expect(settings.output[0]?.DefaultAccessLevel).toBe('Block')
    expect(nonsense.reason?.fullyQualifiedErrorId).toContain('ParameterArgumentTransformationError')
  })
})

describe('the truth', () => {
  it('is reached with as many writes as the state says, and then nothing is wrong', async () => {
    const before = await readState()
    let writes = 0
    for (const mailbox of population.mailboxes) {
      const allow: string[] = []
      const block: string[] = []
      for (const { guid, deviceId } of mailbox.partnerships) {
        const list = population.truth.get(guid)?.list
        if (list === 'allow' && !has(mailbox.initialAllowedDeviceIds, deviceId)) allow.push(deviceId)
        if (list === 'block' && !has(mailbox.initialBlockedDeviceIds, deviceId)) block.push(deviceId)
      }
      if (allow.length + block.length === 0) continue
      writes += 1
      await shell.invoke('Set-CASMailbox', {
        Identity: mailbox.guid,
        ActiveSyncAllowedDeviceIDs: { Add: allow, Remove: block },
        ActiveSyncBlockedDeviceIDs: { Add: block, Remove: allow },
      })
    }

    const after = await readState()
    expect(before.wrong.count).toBeGreaterThan(80)
    expect(before.wrong.samples.length).toBe(20)
    expect(writes).toBe(before.writesLeast)
    expect(after.wrong).toEqual({ count: 0, samples: [] })
    expect(after.lastWriteAt).not.toBeNull()
  })
})

describe('what tests may change', () => {
  it('is the lists, the devices and the default, behind the back of everybody', async () => {
    const { mailbox } = mailboxAt(20)

    const statuses = [
      await tell('population-change', { action: 'set-lists', mailbox: mailbox.guid, allowed: ['BYADMIN'] }),
      await tell('population-change', [{ action: 'add-device', mailbox: mailbox.guid, device: { deviceId: 'NEWPHONE1' } }]),
      await tell('population-change', { action: 'fly' }),
      await tell('faults', { cmdlets: { transientPercent: 'often' } }),
    ]
    const devices = await shell.invoke('Get-MobileDevice', { Mailbox: mailbox.guid })

    expect(statuses).toEqual([200, 200, 400, 400])
    expect(devices.output.map((each) => each.DeviceId)).toContain('NEWPHONE1')
    expect((await readState()).lists?.[mailbox.guid]?.allowed).toEqual(['BYADMIN'])
  })
})

describe('the fault plan', () => {
  it('fails cmdlets before they change anything', async () => {
    const { mailbox } = mailboxAt(21)
    await tell('faults', { seed: 1, cmdlets: { transientPercent: 100, names: ['Set-CASMailbox'] } })

    const result = await shell.invoke('Set-CASMailbox', { Identity: mailbox.guid, ActiveSyncAllowedDeviceIDs: ['X'] })

    expect(result.errors[0]?.fullyQualifiedErrorId).toContain('[FailureCategory=Cmdlet-ADTransientException]')
    expect(await readState()).toMatchObject({ writes: 0, faults: { 'transient-cmdlet': 1 } })
  })
  it('lets a shell die after its cmdlet has run, its answer undelivered', async () => {
    const { mailbox } = mailboxAt(22)
    await tell('faults', { shells: { dieEveryCmdlets: 1 } })

    const running = shell.invoke('Set-CASMailbox', { Identity: mailbox.guid, ActiveSyncAllowedDeviceIDs: ['X'] })

    await expect(running).rejects.toThrow('the shell was not found on the server')
    expect(await readState()).toMatchObject({ shellsOpen: 0, writes: 1, pipelines: 0 })
  })
  it('slows cmdlets down and says so, cuts connections, and lets Exchange vanish', async () => {
    await tell('faults', { microDelay: { percent: 100, delayMs: 20 } })
    const slow = await shell.invoke('Get-ExchangeServer')
    await tell('faults', { http: { resetPercent: 100 } })
    const cut = shell.invoke('Get-ExchangeServer')
    await expect(cut).rejects.toThrow()
    await tell('faults', { exchange: { unreachable: true } })
    const gone = shell.invoke('Get-ExchangeServer')

    expect(slow.warnings[0]).toContain('Micro delay applied. Actual delayed: 20 msecs')
    await expect(gone).rejects.toThrow()
    expect(await tell('faults', {})).toBe(200)
    expect((await shell.invoke('Get-ExchangeServer')).state).toBe('completed')
  })
})

function has(list: readonly string[], deviceId: string): boolean {
  return list.some((entry) => entry.trim().toLowerCase() === deviceId.trim().toLowerCase())
}

function listOf(data: unknown): unknown {
  return Array.isArray(data) ? data : (data as { value: unknown } | undefined)?.value
}
