import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createPopulation, startExchangeSimulator } from '@gatehouse/simulators'
import { afterEach, describe, expect, it } from 'vitest'
import { buildPowerShellHost, POWERSHELL_MODULES, restrictedConfiguration } from '../../../test/environment/powershell-host.ts'
import { createProgram } from '../src/create-program.ts'

const powerShell = await buildPowerShellHost()
const cleanUp: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const end of cleanUp.splice(0).reverse()) await end()
})

/** Runs `gatehouse exchange invoke …` within this process. */
async function invoke(...args: string[]): Promise<{ code: number | undefined; out: string; notes: string }> {
  const said = { code: undefined as number | undefined, out: '', notes: '' }
  const program = createProgram({
    env: { ...process.env },
    cwd: tmpdir(),
    streams: { out: { write: (text) => (said.out += text) }, err: { write: (text) => (said.notes += text) } },
    signal: new AbortController().signal,
    onExitCode: (code) => {
      said.code = code
    },
  })
  await program.parseAsync(['exchange', 'invoke', ...args], { from: 'user' })
  return said
}

async function startSimulator(): Promise<string[]> {
  const simulator = await startExchangeSimulator({
    population: createPopulation({ devices: 20, seed: 7 }),
    port: 0,
    latencyMs: 0,
  })
  cleanUp.push(() => simulator.stop())
  const folder = await mkdtemp(join(tmpdir(), 'gatehouse-invoke-'))
  cleanUp.push(() => rm(folder, { recursive: true }))
  const passwordFile = join(folder, 'password')
  await writeFile(passwordFile, simulator.password)
  return ['--url', simulator.url, '--user', simulator.user, '--password-file', passwordFile]
}

describe('exchange invoke', () => {
  it('runs one cmdlet over WSMan and prints one JSON object', async () => {
    const { code, out } = await invoke(
      'Get-CASMailbox',
      '--parameters',
      '{"ResultSize":1}',
      '--json',
      ...(await startSimulator()),
    )

    expect(code).toBe(0)
    expect(JSON.parse(out)).toMatchObject({ output: [{ ActiveSyncEnabled: true }], errors: [], failed: false })
  })

  it('writes a transcript of every message and request, without the password', async () => {
    const { notes } = await invoke('Get-ExchangeServer', '--trace', ...(await startSimulator()))

    for (const name of ['⇄ create', '→ SESSION_CAPABILITY', '→ CREATE_PIPELINE', '← PIPELINE_OUTPUT', '← PIPELINE_STATE'])
      expect(notes).toContain(name)
    expect(notes).not.toContain('Gatehouse-simulator-1')
    expect(notes).not.toContain(Buffer.from('Gatehouse-simulator-1').toString('base64').slice(0, 20))
  })

  it.each([
    { args: [], said: 'Name the endpoint' },
    { args: ['--url', 'https://mail.test/PowerShell/'], said: '--url needs --user and --password-file' },
  ])('says what is missing: $args', async ({ args, said }) => {
    const failed = await invoke('Get-ExchangeServer', ...args).then(
      ({ notes }) => notes,
      (error: Error) => error.message,
    )

    expect(failed).toContain(said)
  })

  it.skipIf(powerShell === undefined)(
    'runs it in a restricted PowerShell of this machine over stdio (needs the .NET SDK)',
    async () => {
      const local = ['--executable', powerShell ?? '', '--configuration-file', await restrictedConfiguration()]

      const { code, out } = await invoke('Get-ExchangeServer', '--transport', 'stdio', ...local, '--json')

      expect({ code, count: (JSON.parse(out) as { output: unknown[] }).output.length > 0 }).toEqual({ code: 0, count: true })
    },
  )

  it.skipIf(powerShell === undefined)('runs it through the host engine, with a transcript (needs the .NET SDK)', async () => {
    const local = ['--executable', powerShell ?? '', '--module', POWERSHELL_MODULES.exchange]

    const { code, notes } = await invoke('Get-ExchangeServer', '--engine', 'host', ...local, '--trace')

    expect(code).toBe(0)
    for (const name of ['→ OPEN', '→ RUN', '← OUTPUT', '← END']) expect(notes).toContain(name)
  })
})
