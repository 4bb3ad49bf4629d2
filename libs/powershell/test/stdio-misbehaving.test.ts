import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { eventually } from '../../../test/environment/eventually.ts'
import { createRemotingEngine, type PoolLimits } from '../src/index.ts'
import { cleanUp, closeAll, signal } from './open-pool.ts'
import { createFolder, isRunning, openStdioPool } from './stdio-pool.ts'

const unhandled: unknown[] = []
process.on('unhandledRejection', (error) => unhandled.push(error))

afterEach(async () => {
  await closeAll()
  expect(unhandled).toEqual([])
})

type Program = { readonly executable: string; readonly environment: Record<string, string>; processId(): Promise<number> }

/** An executable that is a Node program; it leaves its process id for `processId`. */
async function createProgram(source: string): Promise<Program> {
  const folder = await createFolder()
  const [executable, pidFile] = [join(folder, 'fake-pwsh.cjs'), join(folder, 'pid')]
  const head = `#!${process.execPath}\nrequire('node:fs').writeFileSync(${JSON.stringify(pidFile)}, String(process.pid));\n`
  await writeFile(executable, head + source, { mode: 0o755 })
  return { executable, environment: {}, processId: async () => Number(await readFile(pidFile, 'utf8')) }
}

/** test/fixtures/stdio-host.ts with a behaviour. */
async function createHost(behaviour = ''): Promise<Program> {
  const folder = await createFolder()
  const [executable, pidFile] = [join(folder, 'stdio-host'), join(folder, 'pid')]
  const script = join(import.meta.dirname, 'fixtures', 'stdio-host.ts')
  await writeFile(executable, `#!/bin/sh\nexec '${process.execPath}' '${script}'\n`, { mode: 0o755 })
  const environment = { BEHAVIOUR: behaviour, PID_FILE: pidFile }
  const processId = async () => {
    const text = await readFile(pidFile, 'utf8')
    if (text === '') throw new Error('The program has not yet said which process it is')
    return Number(text)
  }
  return { executable, environment, processId }
}

const open = ({ executable, environment }: Program, limits: Partial<PoolLimits> = {}, runspaces = 1) =>
  openStdioPool({ runspaces, limits: { stopMs: 200, openMs: 10_000, ...limits }, stdio: { executable, environment } })

async function expectGone(program: Program): Promise<void> {
  const processId = await program.processId()
  expect(processId).toBeGreaterThan(0)
  await eventually(() => expect(isRunning(processId)).toBe(false))
}

const READ_FOR_EVER = 'process.stdin.resume(); setInterval(() => {}, 1000);'

describe('an executable that is not PowerShell', () => {
  test('that is not there is a permanent error with its name', async () => {
    const missing = { executable: '/does/not/exist/pwsh', environment: {}, processId: () => Promise.resolve(0) }

    await expect(open(missing)).rejects.toMatchObject({
      name: 'PermanentError',
      code: 'powershell-not-found',
      message: expect.stringContaining('/does/not/exist/pwsh'),
      detail: { mayHaveRun: false },
    })
  })

  test('that may not be executed is a permanent error with its name', async () => {
    const executable = join(await createFolder(), 'pwsh')
    await writeFile(executable, 'nothing', { mode: 0o644 })

    await expect(open({ executable, environment: {}, processId: () => Promise.resolve(0) })).rejects.toMatchObject({
      name: 'PermanentError',
      code: 'powershell-not-found',
      message: expect.stringContaining(executable),
    })
  })

  test.each([
    ['prints garbage', `console.log('Welcome!'); ${READ_FOR_EVER}`, { code: 'stdio-malformed', message: /Welcome!/ }],
    ['prints an empty line', `console.log(''); ${READ_FOR_EVER}`, { code: 'stdio-malformed', message: /not a packet/ }],
    ['closes at once', 'process.exit(0)', { code: 'powershell-exited', message: /exit code 0/ }],
    [
      'says why it ends',
      `process.stderr.write('The argument -s is not known\\nUsage: …'); process.exitCode = 64`,
      { code: 'powershell-exited', message: /exit code 64.*The argument -s is not known/ },
    ],
    [
      'only complains',
      `process.stderr.write('No configuration\\n'); ${READ_FOR_EVER}`,
      { code: 'runspace-broken', message: /No configuration/ },
    ],
    [
      'prints a line without an end',
      `const x = 'x'.repeat(65536); const go = () => { while (process.stdout.write(x)); process.stdout.once('drain', go) }; go()`,
      { code: 'stdio-malformed', message: /longer than/ },
    ],
    [
      'complains without an end',
      `const x = 'x'.repeat(65536); const go = () => { while (process.stderr.write(x)); process.stderr.once('drain', go) }; go()`,
      { code: 'runspace-broken', message: /xxx/ },
    ],
    [
      'closes its output and stays',
      `require('node:fs').closeSync(1); ${READ_FOR_EVER}`,
      { code: 'powershell-exited', message: /SIGTERM/ },
    ],
    [
      'acknowledges what was not sent',
      `console.log("<CommandAck PSGuid='00000000-0000-0000-0000-000000000000' />"); ${READ_FOR_EVER}`,
      { code: 'stdio-malformed', message: /unexpected CommandAck/ },
    ],
    [
      'sends what a client sends',
      `console.log("<Close PSGuid='00000000-0000-0000-0000-000000000000' />"); ${READ_FOR_EVER}`,
      { code: 'stdio-malformed', message: /not a packet/ },
    ],
    [
      'sends fragments that are none',
      `console.log("<Data Stream='Default' PSGuid='00000000-0000-0000-0000-000000000000'>" + 'AAAA'.repeat(30) + '</Data>'); ${READ_FOR_EVER}`,
      { code: /psrp-malformed/, message: /./ },
    ],
  ])('that %s is told so, and is gone', async (_what, source, { code, message }) => {
    const program = await createProgram(source)

    await expect(open(program)).rejects.toMatchObject({
      name: 'RetryableError',
      code: expect.stringMatching(code),
      message: expect.stringMatching(message),
    })
    await expectGone(program)
  })

  test('that never answers has its time, and is ended even when it does not want to', async () => {
    const program = await createProgram(`process.on('SIGTERM', () => {}); ${READ_FOR_EVER}`)

    await expect(open(program, { openMs: 1_500 })).rejects.toMatchObject({ code: 'runspace-open-timeout' })

    await expectGone(program)
  })

  test('that never answers is gone at once when nobody waits any more', async () => {
    const program = await createProgram(READ_FOR_EVER)
    const controller = new AbortController()
    const engine = createRemotingEngine({
      transport: { kind: 'stdio', executable: program.executable },
      shellsMax: 1,
    })
    cleanUp.push(engine)
    const opening = engine.open({ runspaces: 1, signal: controller.signal })
    opening.catch(() => {})
    await eventually(() => program.processId())

    controller.abort(new Error('enough'))

    await expect(opening).rejects.toThrow('enough')
    await expectGone(program)
  })

  test('that leaves a program behind takes it along', async () => {
    const folder = await createFolder()
    const child = join(folder, 'child')
    const program = await createProgram(
      `const { spawn } = require('node:child_process');
       const child = spawn('sleep', ['600'], { stdio: 'inherit' });
       require('node:fs').writeFileSync(${JSON.stringify(child)}, String(child.pid)); process.exit(5)`,
    )

    await expect(open(program)).rejects.toMatchObject({ code: 'powershell-exited', detail: { exitCode: 5 } })

    const childId = Number(await readFile(child, 'utf8'))
    await eventually(() => expect(isRunning(childId)).toBe(false))
  })
})

describe('a host that speaks the protocol', () => {
  const run = (pool: Awaited<ReturnType<typeof open>>, name: string, timeoutMs = 10_000) =>
    pool.invoke({ name, parameters: { Value: 'a' } }, { signal, timeoutMs })

  test('runs commands, and ends with the pool', async () => {
    const program = await createHost()
    const pool = await open(program, {}, 3)

    const results = await Promise.all(Array.from({ length: 50 }, () => run(pool, 'Get-Same')))
    await pool[Symbol.asyncDispose]()

    expect(results.every(({ output }) => output[0]?.value === 'a')).toBe(true)
    expect(isRunning(await program.processId())).toBe(false)
  })

  test('and floods with data of pipelines that are none of ours is listened to no less', async () => {
    const pool = await open(await createHost('floods'))

    expect(await run(pool, 'Get-Same')).toMatchObject({ output: [{ value: 'a' }] })
  })

  test('is never sent a second command for a runspace that is busy', async () => {
    const pool = await open(await createHost('counts'), {}, 2)

    const results = await Promise.all(Array.from({ length: 60 }, () => run(pool, 'Get-Same')))

    expect(Math.max(...results.map(({ output }) => Number(output[0]?.value)))).toBe(2)
  })

  test.each([
    ['dies with a command', 'dies', { code: 'powershell-exited', detail: { exitCode: 3, mayHaveRun: true, shellLost: true } }],
    ['sends what is not base64', 'no-base64', { code: 'stdio-malformed', detail: { mayHaveRun: true, shellLost: true } }],
    ['acknowledges something else', 'other-ack', { code: 'stdio-malformed', detail: { mayHaveRun: false, shellLost: true } }],
    ['says that its pool is broken', 'broken-pool', { code: 'runspace-broken', detail: { shellLost: true } }],
    ['floods what nobody fetches', 'floods-first', { code: 'cmdlet-timeout', detail: { mayHaveRun: true, shellLost: true } }],
    ['does not acknowledge', 'no-data-ack', { code: 'cmdlet-timeout', detail: { mayHaveRun: true, shellLost: true } }],
  ])('and %s fails the command, not the pool', async (_what, behaviour, error) => {
    const program = await createHost(behaviour)
    const pool = await open(program)
    const first = await program.processId()

    await expect(run(pool, 'Get-Same', 1_000)).rejects.toMatchObject({ name: 'RetryableError', ...error })

    await eventually(() => expect(isRunning(first)).toBe(false))
    await expect(run(pool, 'Get-Same', 1_000)).rejects.toMatchObject({ code: error.code })
    expect(pool.state).toBe('opened')
  })

  test('and never ends a command loses one runspace, and its process with the last', async () => {
    const program = await createHost()
    const pool = await open(program, { stopMs: 100 }, 2)
    const first = await program.processId()

    await expect(run(pool, 'Get-Hung', 100)).rejects.toMatchObject({ code: 'cmdlet-timeout', detail: { shellLost: true } })

    expect(await run(pool, 'Get-Same')).toMatchObject({ output: [{ value: 'a' }] })
    await eventually(() => expect(isRunning(first)).toBe(false))
  })

  test('and ends otherwise than PowerShell is warned of', async () => {
    const warnings: string[] = []
    const { executable, environment } = await createHost('bad-exit')
    const log = {
      debug: () => {},
      info: () => {},
      error: () => {},
      warn: (_fields: object, text: string) => warnings.push(text),
    }
    const pool = await openStdioPool({ log, stdio: { executable, environment } })

    await pool[Symbol.asyncDispose]()

    expect(warnings).toEqual(['Shell could not be deleted'])
  })
})
