import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { encodeClixml, type PsValue } from '../../../libs/powershell/src/protocol/index.ts'
import { buildPowerShellHost, POWERSHELL_MODULES } from '../../environment/powershell-host.ts'
import { createPopulation, startExchangeSimulator } from '../../simulators/src/index.ts'
import { runPowerShell } from './run-powershell.ts'

const executable = await buildPowerShellHost()
const title = executable === undefined ? 'SimulatedExchange (not here: no .NET 10 SDK)' : 'SimulatedExchange'
const population = createPopulation({ devices: 60, seed: 11 })
const [mailbox] = population.mailboxes
const guid = mailbox?.guid ?? ''

type State = {
  cmdlets: Record<string, number>
  faults: Record<string, number>
  refusals: Record<string, number>
  lists: Record<string, { allowed: string[] }>
  writes: number
  pipelines: number
}

let simulator: Awaited<ReturnType<typeof startExchangeSimulator>>

beforeAll(async () => {
  simulator = await startExchangeSimulator({ population, port: 0, latencyMs: 0 })
})
afterEach(async () => {
  await control('faults', {})
})
afterAll(async () => {
  await simulator?.stop()
})

describe('the cmdlet route of the Exchange simulator', () => {
  it('runs a cmdlet as one that came through a shell', async () => {
    const before = await state()

    const written = await call('set-casmailbox', { Identity: guid, ActiveSyncAllowedDeviceIDs: { Add: ['FROM-ROUTE'] } })
    const read = await call('Get-CASMailbox', { Identity: guid })

    expect(await written.json()).toEqual({ output: [], warnings: [], errors: [] })
    expect((await read.json()) as unknown).toMatchObject({ output: [expect.stringContaining('<S>FROM-ROUTE</S>')] })
    const after = await state()
    expect(after.lists[guid]?.allowed).toContain('FROM-ROUTE')
    expect([after.writes - before.writes, after.pipelines]).toEqual([1, 0])
  })

  it('lists its cmdlets with their parameters', async () => {
    const cmdlets = (await (await send('cmdlets', undefined)).json()) as { name: string; parameters: { name: string }[] }[]

    const set = cmdlets.find(({ name }) => name === 'Set-CASMailbox')
    expect(set?.parameters.map(({ name }) => name)).toContain('ActiveSyncBlockedDeviceIDs')
  })

  it('lets nobody in without the password of the PowerShell account', async () => {
    expect((await send('cmdlet', '{}', 'Basic bm9ib2R5Ong=')).status).toBe(401)
  })

  it.each(['', '{"name":"Get-CASMailbox"}', '{"name":"Get-CASMailbox","parameters":"<S>x</S>"}'])(
    'refuses the call %j',
    async (body) => {
      expect((await send('cmdlet', body)).status).toBe(400)
    },
  )

  it('stops a cmdlet whose client hangs up', async () => {
    await control('faults', { hang: { percent: 100 } })
    const stop = new AbortController()
    const hanging = call('Get-CASMailbox', { Identity: guid }, stop.signal)
    hanging.catch(() => {})
    await expect.poll(async () => (await state()).pipelines).toBe(1)

    stop.abort()

    await expect(hanging).rejects.toThrow()
    await expect.poll(async () => (await state()).pipelines).toBe(0)
  })
})

describe.skipIf(executable === undefined)(title, () => {
  const run = (script: string, environment: Record<string, string> = {}) =>
    runPowerShell(executable ?? '', `Import-Module '${POWERSHELL_MODULES.simulatedExchange}'; ${script}`, {
      GATEHOUSE_SIMULATOR_URL: simulator.url,
      GATEHOUSE_SIMULATOR_USER: simulator.user,
      GATEHOUSE_SIMULATOR_PASSWORD: simulator.password,
      ...environment,
    })

  it('changes lists of many values at the simulator, by every form that Exchange takes', async () => {
    const seen = await run(`
      $table = @{ Identity = '${guid}' }
      function Show { (Get-CASMailbox @table).ActiveSyncAllowedDeviceIDs -join '|' }
      Set-CASMailbox @table -ActiveSyncAllowedDeviceIDs $null; Show
      Set-CASMailbox @table -ActiveSyncAllowedDeviceIDs @{ Add = 'A', '$(exit) "''\`'; Remove = @() }; Show
      Set-CASMailbox @table -ActiveSyncAllowedDeviceIDs @{ Remove = 'a' } -Confirm:$false; Show
      Set-CASMailbox '${guid}' -ActiveSyncAllowedDeviceIDs ([string[]] ('X', 'Y')); Show`)

    expect(seen).toEqual(['', `A|$(exit) "'\``, `$(exit) "'\``, 'X|Y'])
    expect((await state()).lists[guid]?.allowed).toEqual(['X', 'Y'])
  })

  it('gives objects with the types of their properties', async () => {
    const seen = await run(`
      $mailbox = Get-CASMailbox '${guid}'
      $mailbox.PSTypeNames[0]
      'Guid', 'WhenChangedUTC', 'ActiveSyncEnabled', 'Name' | ForEach-Object { $mailbox.$_.GetType().FullName }
      (Get-MobileDevice -ResultSize Unlimited).Count`)

    const names = ['Deserialized.Microsoft.Exchange.Data.Directory.Management.CASMailbox', 'System.Guid', 'System.DateTime']
    expect(seen).toEqual([...names, 'System.Boolean', 'System.String', 60])
  })

  it('makes real error records of errors: of those that end a cmdlet and of those that do not', async () => {
    const seen = await run(`
      Get-CASMailbox nobody -ErrorAction SilentlyContinue -ErrorVariable found; 'went on'
      try { Get-CASMailbox -ResultSize many } catch { $found += $_ }
      foreach ($each in $found) {
        "$($each.FullyQualifiedErrorId -replace '^.*(?=,)')|$($each.Exception.GetType().FullName)|$($each.CategoryInfo.Category)"
      }`)

    const engine = 'System.Management.Automation.ParameterBindingArgumentTransformationException'
    const task = 'Microsoft.Exchange.Configuration.Tasks.ManagementObjectNotFoundException'
    expect(seen).toEqual([
      'went on',
      `,Microsoft.Exchange.Management.RecipientTasks.GetCASMailbox|${task}|NotSpecified`,
      `,Get-CASMailbox|${engine}|InvalidData`,
    ])
  })

  it('sends a call once, even when the connection is lost before its answer has come', async () => {
    const before = await state()
    await control('faults', { shells: { dieEveryCmdlets: 2 } })

    const seen = await run(`
      foreach ($n in 1..6) {
        try { Get-CASMailbox '${guid}' | ForEach-Object { 'answered' } } catch { $_.Exception.GetType().Name }
      }`)

    const lost = 'PSRemotingTransportException'
    expect(seen).toEqual(['answered', lost, 'answered', lost, 'answered', lost])
    const after = await state()
    expect((after.cmdlets['Get-CASMailbox'] ?? 0) - (before.cmdlets['Get-CASMailbox'] ?? 0)).toBe(6)
    expect((after.faults['shell-death'] ?? 0) - (before.faults['shell-death'] ?? 0)).toBe(3)
  })

  it('stops when the pipeline is stopped, and has changed nothing', async () => {
    await control('faults', { hang: { percent: 100, names: ['Set-CASMailbox'] } })
    const before = await state()

    const seen = await run(`
      $shell = [powershell]::Create([initialsessionstate]::CreateDefault2())
      [void] $shell.AddCommand('Import-Module').AddArgument('${POWERSHELL_MODULES.simulatedExchange}').Invoke()
      $shell.Commands.Clear()
      $running = $shell.AddCommand('Set-CASMailbox').AddParameter('Identity', '${guid}').AddParameter('ActiveSyncEnabled', $false).BeginInvoke()
      $web = [System.Net.Http.HttpClient]::new()
      while ($web.GetStringAsync('${simulator.simulatorUrl}/state?brief').Result -notmatch '"pipelines":1,') { }
      $shell.Stop(); $shell.InvocationStateInfo.State.ToString()`)

    expect(seen).toEqual(['Stopped'])
    await expect.poll(async () => (await state()).pipelines).toBe(0)
    expect((await state()).writes).toBe(before.writes)
  })

  it('says that it is not let in', async () => {
    await expect(run(`'loaded'`, { GATEHOUSE_SIMULATOR_PASSWORD: 'wrong' })).rejects.toThrow(/401/)
  })
})

function call(name: string, parameters: Record<string, PsValue>, signal?: AbortSignal): Promise<Response> {
  const clixml = encodeClixml(parameters)
  return send('cmdlet', JSON.stringify({ name, parameters: clixml }), undefined, signal)
}

function send(route: string, body: string | undefined, authorization?: string, signal?: AbortSignal): Promise<Response> {
  const basic = `Basic ${Buffer.from(`${simulator.user}:${simulator.password}`).toString('base64')}`
  return fetch(`${simulator.simulatorUrl}/${route}`, {
    method: body === undefined ? 'GET' : 'POST',
    headers: { authorization: authorization ?? basic, connection: 'close' },
    ...(body !== undefined && { body }),
    ...(signal !== undefined && { signal }),
  })
}

async function control(route: string, body: unknown): Promise<void> {
  const { status } = await send(route, JSON.stringify(body))
  expect(status).toBe(200)
}

async function state(): Promise<State> {
  return (await (await send('state', undefined)).json()) as State
}
