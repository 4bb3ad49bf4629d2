import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { PowerShell } from 'node-powershell'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { eventually } from '../../../test/environment/eventually.ts'
import { buildPowerShellHost } from '../../../test/environment/powershell-host.ts'
import { systemClock } from '../src/clock.ts'
import { createHostEngine } from '../src/host/create-host-engine.ts'
import { OwnedShell, type ShellExit } from '../src/host/owned-shell.ts'
import { createFakePowerShell, createHostFolder, isThere, openFakePool, openHostPool } from './host-pool.ts'
import { closeAll, options, signal } from './open-pool.ts'

// What node-powershell 5.0.1 does on its own, and that none of it reaches the callers of the engine.

const powershell = await buildPowerShellHost()
const command = { name: 'Get-Thing', parameters: {} }
const ENGINE = pathToFileURL(join(import.meta.dirname, '..', 'src', 'host', 'create-host-engine.ts')).href

afterEach(closeAll)

/** Runs a program in a process of its own; how that ends is what the test is about. */
async function runProgram(source: string, environment: Record<string, string> = {}) {
  const path = join(await createHostFolder(), 'program.mjs')
  await writeFile(path, source)
  const child = spawn(process.execPath, [path], { env: { ...process.env, ...environment }, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  let errors = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors += text
  })
  const [code] = await once(child, 'close')
  return { code, output: output.trim(), errors }
}

describe('memory', () => {
  test.skipIf(powershell === undefined)('node-powershell keeps every command and its output for ever', async () => {
    const shell = new PowerShell({ executable: powershell ?? '' })

    await shell.invoke('1')
    await shell.invoke("'x' * 1000")
    await shell.dispose()

    expect(shell.history.map(({ command }) => command)).toEqual(["'x' * 1000", '1'])
    expect(shell.history[0]?.raw).toContain('x'.repeat(1_000))
  })

  test('nothing is kept of what was written and read', async () => {
    const { executable, notes } = await createFakePowerShell(`answers.run = ({ id }) => { output(id, '<S>x</S>'); end(id) }`)
    const ends = Promise.withResolvers<void>()
    const exits = Promise.withResolvers<ShellExit>()
    let left = 1_000
    const shell = new OwnedShell({
      ...{ executable, environment: { NOTES: notes }, lineCharsMax: 10_000, clock: systemClock, onExit: exits.resolve },
      onLine: (line) => {
        if (line.includes('"end"') && --left === 0) ends.resolve()
      },
    })

    for (let id = 1; id <= 1_000; id++) shell.write(JSON.stringify({ op: 'run', id, name: 'Get-Thing' }))
    await ends.promise
    const kept = shell.remembered
    shell.write('{"op":"close"}')
    await exits.promise

    // Would be 1,000 if the lines went through `invoke`.
    expect(kept).toBe(0)
  })

  test('standard error is read to the end, though node-powershell stops after three pieces of it', async () => {
    // With a pipe that nobody empties any more, the fake could not write its answer: the command would run into its limit.
    const pool = await openFakePool(`answers.run = ({ id }) => {
      for (let n = 0; n < 50; n++) require('node:fs').writeSync(2, 'e'.repeat(16384))
      end(id)
    }`)

    for (let n = 0; n < 3; n++) expect(await pool.invoke(command, options)).toMatchObject({ failed: false })
  })
})

describe('closing', () => {
  test('answers every command: node-powershell forgets its queue, and their promises would never settle', async () => {
    const pool = await openFakePool(`answers.run = () => note('runs')`)
    const invoked = Array.from({ length: 5 }, () => pool.invoke(command, options))
    for (const each of invoked) each.catch(() => {})
    await eventually(() => expect(pool.stats()).toMatchObject({ busy: 1, queued: 4 }))

    await pool[Symbol.asyncDispose]()

    const codes = (await Promise.allSettled(invoked)).map((each) => each.status === 'rejected' && each.reason.code)
    expect(codes).toEqual(['cmdlet-stopped', ...Array(4).fill('runspace-pool-closed')])
  })

  test('lets PowerShell close its sessions first: the SIGTERM of node-powershell would leave them on the server', async () => {
    const pool = await openFakePool(`
      process.on('SIGTERM', () => { note('SIGTERM'); process.exit(143) })
      answers.close = () => { note('sessions closed'); process.exit(0) }`)

    await pool[Symbol.asyncDispose]()

    const notes = (await readFile(pool.notes, 'utf8')).trim().split('\n')
    expect(notes.slice(-2)).toEqual(['close', 'sessions closed'])
  })

  test('happens by itself when the process of the engine is killed', async () => {
    const { executable, notes } = await createFakePowerShell('')
    const program = `
      import { createHostEngine } from ${JSON.stringify(ENGINE)}
      const engine = createHostEngine({ executable: ${JSON.stringify(executable)}, environment: { NOTES: ${JSON.stringify(notes)} } })
      await engine.open({ runspaces: 1, signal: AbortSignal.timeout(20000) })
      process.kill(process.pid, 'SIGKILL')`

    await runProgram(program)

    const [start = ''] = (await readFile(notes, 'utf8')).split('\n')
    await eventually(() => expect(isThere(Number(start.split(' ')[1]))).toBe(false))
  })

  test.skipIf(powershell === undefined)('happens by itself on a real PowerShell, though a cmdlet runs', async () => {
    const program = `
      import { createHostEngine } from ${JSON.stringify(ENGINE)}
      const engine = createHostEngine({ executable: ${JSON.stringify(powershell)} })
      const pool = await engine.open({ runspaces: 2, signal: AbortSignal.timeout(20000) })
      const options = { signal: AbortSignal.timeout(20000), timeoutMs: 20000 }
      const { output } = await pool.invoke({ name: 'Get-Variable', parameters: { Name: 'PID', ValueOnly: true } }, options)
      pool.invoke({ name: 'Start-Sleep', parameters: { Seconds: 600 } }, options).catch(() => {})
      process.stdout.write(String(output[0].value), () => process.kill(process.pid, 'SIGKILL'))`

    const { output } = await runProgram(program)

    expect(output).toMatch(/^\d+$/)
    await eventually(() => expect(isThere(Number(output))).toBe(false))
  })
})

describe('a process that ends', () => {
  const reportsUnhandled = `process.on('unhandledRejection', (error) => { console.log('UNHANDLED ' + error.name) })\n`

  test('node-powershell rejects a promise that nobody has when its executable is missing', async () => {
    const source = `${reportsUnhandled}
      import { createRequire } from 'node:module'
      const { PowerShell } = createRequire(${JSON.stringify(import.meta.url)})('node-powershell')
      new PowerShell({ executable: '/nowhere/pwsh' })`

    expect((await runProgram(source)).output).toContain('UNHANDLED')
  })

  test('a missing executable is an error of `open`, and of nothing else', async () => {
    const source = `${reportsUnhandled}
      import { createHostEngine } from ${JSON.stringify(ENGINE)}
      const engine = createHostEngine({ executable: '/nowhere/pwsh' })
      await engine.open({ runspaces: 1, signal: AbortSignal.timeout(20000) }).catch((error) => console.log(error.name, error.code))`

    expect(await runProgram(source)).toMatchObject({ code: 0, output: 'PermanentError powershell-not-found' })
  })

  test('the end of an idle process does not end ours, and the next command has a new one', async () => {
    const { executable, notes } = await createFakePowerShell(`
      answers.open = () => { send({ op: 'opened' }); process.once('SIGUSR2', () => process.exit(9)) }`)
    const source = `${reportsUnhandled}
      import { readFileSync } from 'node:fs'
      import { createHostEngine } from ${JSON.stringify(ENGINE)}
      const engine = createHostEngine({ executable: ${JSON.stringify(executable)}, environment: { NOTES: ${JSON.stringify(notes)} } })
      const signal = AbortSignal.timeout(20000)
      const pool = await engine.open({ runspaces: 1, signal })
      process.kill(Number(/start (\\d+)/.exec(readFileSync(${JSON.stringify(notes)}, 'utf8'))[1]), 'SIGUSR2')
      while (pool.stats().shells > 0) await new Promise((resolve) => setTimeout(resolve, 5))
      const { failed } = await pool.invoke({ name: 'Get-Thing', parameters: {} }, { signal, timeoutMs: 10000 })
      console.log(failed, pool.stats().shellsLost)
      await engine[Symbol.asyncDispose]()`

    expect(await runProgram(source)).toMatchObject({ code: 0, output: 'false 1' })
  })
})

test('NODE_POWERSHELL does not choose what is started', async () => {
  const { executable, notes } = await createFakePowerShell('')
  vi.stubEnv('NODE_POWERSHELL', '/nowhere/pwsh')
  try {
    await using engine = createHostEngine({ executable, environment: { NOTES: notes } })

    const pool = await engine.open({ runspaces: 1, signal })

    expect(await pool.invoke(command, options)).toMatchObject({ failed: false })
  } finally {
    vi.unstubAllEnvs()
  }
})

test.skipIf(powershell === undefined)('what is written while PowerShell starts is not taken for commands', async () => {
  // PowerShell reads ahead of the line it runs: a request in its buffer would be run as script, or be lost.
  const pool = await openHostPool({ executable: powershell ?? '', runspaces: 4 })

  const results = await Promise.all(
    Array.from({ length: 50 }, (_, n) => pool.invoke({ name: 'Write-Output', parameters: { InputObject: n } }, options)),
  )

  expect(results.map(({ output }) => output[0]?.value)).toEqual(Array.from({ length: 50 }, (_, n) => n))
})
