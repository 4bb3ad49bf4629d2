import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { eventually } from '../../../test/environment/eventually.ts'
import { buildPowerShellHost, POWERSHELL_MODULES } from '../../../test/environment/powershell-host.ts'
import { createHostEngine } from '../src/host/create-host-engine.ts'
import { PsCredential, PsSecureString, type PsValue, type RunspacePool } from '../src/index.ts'
import { createHostFolder, type HostPoolOptions, isThere, openHostPool } from './host-pool.ts'
import { closeAll, options, signal } from './open-pool.ts'

const executable = await buildPowerShellHost()

afterEach(closeAll)

const MODULE = `
function Get-Secrets {
    param([securestring] $Password, [pscredential] $Credential)
    [System.Net.NetworkCredential]::new('', $Password).Password
    $Credential.UserName
    $Credential.GetNetworkCredential().Password
}
function Get-TypeName { param($Value) if ($null -eq $Value) { 'null' } else { $Value.GetType().FullName } }
function Get-Processed { [CmdletBinding()] param([Parameter(ValueFromPipeline)] $Value) process { 'processed' } }
function Get-Computed {
    $object = [pscustomobject] @{ Name = 'computed' }
    $object.PSObject.TypeNames.Insert(0, 'Host.Test')
    $object
}
Update-TypeData -TypeName Host.Test -MemberType ScriptProperty -MemberName Thread -Value { Get-ThreadName } -Force
function Get-ThreadName { 'in the runspace of the module' }
function Write-Stray { [System.Diagnostics.Process]::Start('/bin/echo', '-n stray').WaitForExit(); [Console]::Out.WriteLine('stray'); 'kept' }
function Stop-Host { [Environment]::Exit(7) }
function Get-HostId { $PID }
function Start-Orphan { [System.Diagnostics.Process]::Start('/bin/sleep', '600').Id; [System.Threading.Thread]::Sleep(600000) }
function Get-Endless { while ($true) { 'x' * 1000 } }
function Get-Huge { 'x' * 2000000 }
function Get-Question { [CmdletBinding(SupportsShouldProcess, ConfirmImpact = 'High')] param() if ($PSCmdlet.ShouldProcess('it')) { 'done' } }
function Write-Much { 1..10050 | ForEach-Object { Write-Verbose $_ -Verbose } }
`

async function openPool(o: Partial<HostPoolOptions> = {}): Promise<RunspacePool> {
  const path = join(await createHostFolder(), 'Test.psm1')
  await writeFile(path, MODULE)
  return await openHostPool({ executable: executable ?? '', modules: [path, POWERSHELL_MODULES.exchange], ...o })
}

const call = (name: string, parameters: Record<string, PsValue> = {}) => ({ name, parameters })

describe.skipIf(executable === undefined)('the host engine on a real PowerShell', () => {
  test('sends parameters as the types that remoting would give them', async () => {
    const pool = await openPool()
    const typeOf = async (value: PsValue) =>
      (await pool.invoke(call('Get-TypeName', { Value: value }), options)).output[0]?.value

    expect(await typeOf('text')).toBe('System.String')
    expect(await typeOf(1)).toBe('System.Int32')
    expect(await typeOf(2n ** 40n)).toBe('System.Int64')
    expect(await typeOf(1.5)).toBe('System.Double')
    expect(await typeOf(true)).toBe('System.Boolean')
    expect(await typeOf(null)).toBe('null')
    expect(await typeOf(new Date(0))).toBe('System.DateTime')
    expect(await typeOf(new Uint8Array(2))).toBe('System.Byte[]')
    expect(await typeOf(['a'])).toBe('System.Collections.ArrayList')
    expect(await typeOf({ a: 1 })).toBe('System.Collections.Hashtable')
  })

  test('brings secrets as SecureString and PSCredential', async () => {
    const pool = await openPool()
    const parameters = {
      Password: new PsSecureString('pä$s"w`'),
      Credential: new PsCredential('dom\\user', '2020-01-01T00:00:00Z'),
    }

    const { output } = await pool.invoke(call('Get-Secrets', parameters), options)

    expect(output.map(({ value }) => value)).toEqual(['pä$s"w`', 'dom\\user', '2020-01-01T00:00:00Z'])
  })

  test('executes nothing that a parameter holds', async () => {
    const pool = await openPool()
    const texts = [
      '$(Stop-Host)',
      '`$(Stop-Host)',
      "'; Stop-Host; '",
      '"; Stop-Host; "',
      '‘; Stop-Host #',
      '\n\nStop-Host\n',
      '{ Stop-Host }',
    ]

    for (const text of texts) {
      const { output } = await pool.invoke(call('Test-Echo', { Value: text }), options)
      expect(output[0]?.value).toBe(text)
    }

    expect(pool.stats()).toMatchObject({ shellsOpened: 1, shellsLost: 0 })
  })

  test('loses no text that XML cannot hold', async () => {
    const pool = await openPool()
    const texts = ['\ufffe', '\uffff', '&#xFFFE;', '_xFFFE_', '\u0000', '\ud800', '\udc00\ud800', '\r', '\x85']

    const { output } = await pool.invoke(call('Test-Echo', { Value: texts }), options)

    expect(output.map(({ value }) => value)).toEqual([texts])
  })

  test('gives a cmdlet no input rather than an empty one', async () => {
    const pool = await openPool()

    const { output } = await pool.invoke(call('Get-Processed', { Value: 1 }), options)

    expect(output.map(({ value }) => value)).toEqual(['processed'])
  })

  test('reads computed properties in the runspace they belong to', async () => {
    const pool = await openPool()

    const { output } = await pool.invoke(call('Get-Computed'), options)

    expect(output[0]?.properties).toMatchObject({ Name: 'computed', Thread: 'in the runspace of the module' })
    expect(output[0]?.typeNames[0]).toBe('Host.Test')
  })

  test('is not disturbed by what cmdlets and their programs write to the console', async () => {
    const pool = await openPool()

    const results = await Promise.all(Array.from({ length: 5 }, () => pool.invoke(call('Write-Stray'), options)))

    for (const { output } of results) expect(output.map(({ value }) => value)).toEqual(['kept'])
  })

  test('hands objects over while the cmdlet runs, and stops it when they are refused', async () => {
    const pool = await openPool()
    let seen = 0
    const onOutput = () => {
      if (++seen === 3) throw new Error('enough')
    }

    await expect(pool.invoke(call('Get-Endless'), { ...options, onOutput })).rejects.toMatchObject({ code: 'output-refused' })

    expect(seen).toBe(3)
    expect(await pool.invoke(call('Test-Echo', { Value: 1 }), options)).toMatchObject({ failed: false })
    expect(pool.stats().shellsLost).toBe(0)
  })

  test('stops a cmdlet whose objects or whole result are too large', async () => {
    const pool = await openPool({ limits: { resultCharsMax: 5_000_000, lineCharsMax: 1_000_000 } })

    await expect(pool.invoke(call('Get-Endless'), options)).rejects.toMatchObject({ code: 'result-too-large' })
    await expect(pool.invoke(call('Get-Huge'), options)).rejects.toMatchObject({ code: 'result-too-large' })

    expect(await pool.invoke(call('Test-Echo', { Value: 1 }), options)).toMatchObject({ failed: false })
    expect(pool.stats().shellsLost).toBe(0)
  })

  test('counts records beyond the most that are kept', async () => {
    const pool = await openPool()

    const { verbose, recordsDropped } = await pool.invoke(call('Write-Much'), options)

    expect([verbose.length, recordsDropped]).toEqual([10_000, 50])
  })

  test.each([
    ['a missing mandatory parameter', 'Get-Item'],
    ['a confirmation', 'Get-Question'],
    ['a line', 'Test-Prompt'],
  ])('fails a cmdlet that asks for %s', async (_, name) => {
    const pool = await openPool()

    await expect(pool.invoke(call(name), options)).rejects.toMatchObject({ name: 'PermanentError', code: 'cmdlet-prompted' })
  })

  test('stops cmdlets at whatever moment the caller gives up', async () => {
    const pool = await openPool({ runspaces: 2 })

    for (let n = 0; n < 40; n++) {
      const caller = new AbortController()
      const invoked = pool.invoke(call('Test-Wait', { Milliseconds: 60_000 }), { signal: caller.signal, timeoutMs: 120_000 })
      // From before it is sent to after it has begun.
      for (let turn = 0; turn < n; turn++) await new Promise((resolve) => setImmediate(resolve))
      caller.abort(new Error('enough'))
      await expect(invoked).rejects.toThrow('enough')
    }

    expect(pool.stats()).toMatchObject({ shellsOpened: 2, shellsLost: 0, busy: 0 })
  })

  test('replaces a process that a cmdlet ended', async () => {
    const pool = await openPool()

    await expect(pool.invoke(call('Stop-Host'), options)).rejects.toMatchObject({
      code: 'powershell-exited',
      detail: { mayHaveRun: true, shellLost: true },
    })

    expect(await pool.invoke(call('Test-Echo', { Value: 1 }), options)).toMatchObject({ failed: false })
  })

  test('says which module cannot be imported', async () => {
    await expect(openPool({ modules: ['/nowhere/Missing.psm1'] })).rejects.toMatchObject({
      code: 'powershell-open-failed',
      message: expect.stringContaining('Missing.psm1'),
    })
  })

  test('says when this PowerShell has no client for a connection', async () => {
    const connection = {
      uri: 'https://exchange.invalid/PowerShell/',
      authentication: 'Kerberos',
      credential: { user: 'dom\\svc', password: 'never shown' },
    } as const
    const failure = await openHostPool({ executable: executable ?? '', connection }).catch((error: Error) => error)

    expect(failure).toMatchObject({ message: expect.stringContaining('WSMan') })
    expect(JSON.stringify(failure) + String(failure)).not.toContain('never shown')
  })

  test('closes an idle process and starts one for the next command', async () => {
    const pool = await openPool({ limits: { idleMs: 50 } })
    const [{ value: first } = {}] = (await pool.invoke(call('Get-HostId'), options)).output

    await eventually(() => expect(isThere(Number(first))).toBe(false))
    const [{ value: second } = {}] = (await pool.invoke(call('Get-HostId'), options)).output

    expect(second).not.toBe(first)
    expect(pool.stats().shellsLost).toBe(0)
  })

  test('ends with its cmdlets, and the programs that those started, when it does not close in time', async () => {
    const pool = await openPool({ runspaces: 2, limits: { stopMs: 200, closeMs: 200 } })
    const [{ value: host } = {}] = (await pool.invoke(call('Get-HostId'), options)).output
    const { promise: started, resolve } = Promise.withResolvers<number>()
    const stuck = pool.invoke(call('Start-Orphan'), { ...options, onOutput: ({ value }) => resolve(Number(value)) })
    stuck.catch(() => {})
    const orphan = await started

    await pool[Symbol.asyncDispose]()

    await expect(stuck).rejects.toMatchObject({ code: 'cmdlet-stopped', detail: { mayHaveRun: true } })
    await eventually(() => expect([isThere(Number(host)), isThere(orphan)]).toEqual([false, false]))
  })

  test('closes a pool that is being opened', async () => {
    const engine = createHostEngine({ executable: executable ?? '' })
    const opening = engine.open({ runspaces: 1, signal })
    opening.catch(() => {})
    await new Promise((resolve) => setImmediate(resolve))

    await engine[Symbol.asyncDispose]()

    await expect(opening).rejects.toMatchObject({ code: 'runspace-pool-closed' })
  })
})

describe('settings of the host engine', () => {
  const connection = { uri: 'https://exchange.invalid/PowerShell/', authentication: 'Basic' } as const

  test.each([
    [{ runspacesMax: 0 }],
    [{ executable: '' }],
    [{ connection: { ...connection, uri: 'http://exchange.invalid/PowerShell/' } }],
    [{ connection: { ...connection, uri: 'exchange' } }],
    [{ connection, modules: ['Exchange'] }],
  ])('that cannot work are refused: %j', (settings) => {
    expect(() => createHostEngine(settings)).toThrow(expect.objectContaining({ code: 'host-settings-refused' }))
  })
})
