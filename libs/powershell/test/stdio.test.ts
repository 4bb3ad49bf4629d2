import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import { eventually } from '../../../test/environment/eventually.ts'
import { buildPowerShellHost } from '../../../test/environment/powershell-host.ts'
import { systemClock } from '../src/clock.ts'
import {
  basicEnvironment,
  type InvocationResult,
  PsGuid,
  PsSecureString,
  type PsValue,
  type RunspacePool,
} from '../src/index.ts'
import { Runspace } from '../src/pool/runspace.ts'
import { createStdioTransport } from '../src/stdio/stdio-transport.ts'
import { cleanUp, closeAll, options, signal } from './open-pool.ts'
import { begunIn, createFolder, isRunning, openStdioPool, type StdioPoolOptions, writeConfiguration } from './stdio-pool.ts'

const BUILD_MS = 660_000
const host = await buildPowerShellHost()

afterEach(closeAll)

describe.skipIf(host === undefined)('remoting over the standard streams of the real engine (needs the .NET SDK)', () => {
  async function open(o: Omit<Partial<StdioPoolOptions>, 'stdio'> & { stdio?: Partial<StdioPoolOptions['stdio']> } = {}) {
    const { stdio, ...rest } = o
    const configuration = ['-ConfigurationFile', await writeConfiguration()]
    return await openStdioPool({ ...rest, stdio: { executable: host ?? '', arguments: configuration, ...stdio } })
  }

  const valuesOf = (result: InvocationResult) => result.output.map(({ value }) => value)
  const run = (pool: RunspacePool, name: string, parameters: Record<string, PsValue> = {}, timeoutMs = 30_000) =>
    pool.invoke({ name, parameters }, { signal, timeoutMs })
  const processOf = async (pool: RunspacePool) => Number(valuesOf(await run(pool, 'Get-ProcessNumber'))[0])

  beforeAll(async () => {
    // The first start after a build reads everything from disk.
    const pool = await open()
    await run(pool, 'Get-ProcessNumber')
    await closeAll()
  }, BUILD_MS)

  test('parameters arrive with their types and come back the same', async () => {
    const pool = await open()
    const cases: [PsValue, string, unknown][] = [
      ['$(Get-Process) `n " \' ; \u0001 _x0041_ \ud83d\ude00', 'System.String', undefined],
      [42, 'System.Int32', undefined],
      [2n ** 53n + 1n, 'System.Int64', undefined],
      [true, 'System.Boolean', undefined],
      [null, 'null', undefined],
      [new PsGuid('5b6a2a1c-6a0e-4c4b-8a62-0d5fd3a0d4b1'), 'System.Guid', '5b6a2a1c-6a0e-4c4b-8a62-0d5fd3a0d4b1'],
    ]

    for (const [value, type, expected = value] of cases) {
      expect(valuesOf(await run(pool, 'Get-TypeOf', { Value: value }))).toEqual([type])
      const [same] = valuesOf(await run(pool, 'Get-Same', { Value: value }))
      expect(typeof expected === 'string' ? String(same) : same).toEqual(expected)
    }
  })

  test('a parameter and a result of many fragments arrive whole', async () => {
    const pool = await open()
    const text = '0123456789abcdef'.repeat(64 * 1024)

    expect(valuesOf(await run(pool, 'Get-Same', { Value: text }))).toEqual([text])
    const bulk = valuesOf(await run(pool, 'Get-Bulk', { Count: 200, Length: 100_000 }))
    expect(bulk).toHaveLength(200)
    expect(bulk.every((value) => typeof value === 'string' && value.length === 100_000)).toBe(true)
  })

  test('runspaces of one process share the key of their SecureStrings', async () => {
    const pool = await open({ runspaces: 4, stdio: { runspacesPerProcess: 4 } })
    const texts = ['p\u00e4ss$(x)', '', '\ud83d\ude00', 'last']

    const results = await Promise.all(texts.map((text) => run(pool, 'Get-PlainText', { Value: new PsSecureString(text) })))

    expect(results.flatMap(valuesOf)).toEqual(texts)
    expect(pool.stats()).toMatchObject({ shellsLost: 0 })
  })

  test('twelve commands run at the same time in one process', async () => {
    const pool = await open({ runspaces: 12, stdio: { runspacesPerProcess: 12 } })
    const folder = await createFolder()

    const results = await Promise.all(Array.from({ length: 12 }, () => run(pool, 'Wait-Others', { Folder: folder, Count: 12 })))

    expect(new Set(results.flatMap(valuesOf)).size).toBe(1)
    expect(pool.stats()).toMatchObject({ shells: 12, shellsLost: 0 })
  })

  test('a process that is full is followed by another', async () => {
    const pool = await open({ runspaces: 12, stdio: { runspacesPerProcess: 5 } })
    const folder = await createFolder()

    const results = await Promise.all(Array.from({ length: 12 }, () => run(pool, 'Wait-Others', { Folder: folder, Count: 12 })))

    const processes = results.flatMap(valuesOf)
    const counts = [...new Set(processes)].map((one) => processes.filter((other) => other === one).length)
    expect(counts.toSorted()).toEqual([2, 5, 5])
  })

  test('a cmdlet that fails says so, and its runspace goes on', async () => {
    const pool = await open()

    const result = await run(pool, 'Get-DoesNotExist')
    const after = await run(pool, 'Get-Same', { Value: 1 })

    expect(result).toMatchObject({ failed: true, errors: [{ fullyQualifiedErrorId: 'CommandNotFoundException' }] })
    expect(valuesOf(after)).toEqual([1])
    expect(pool.stats()).toMatchObject({ shellsOpened: 1, shellsLost: 0 })
  })

  test('a command that is sent while another runs waits for the runspace, as sending ahead over WSMan assumes', async () => {
    const environment = basicEnvironment(process.env)
    const configuration = ['-ConfigurationFile', await writeConfiguration()]
    const transport = createStdioTransport(
      { kind: 'stdio', executable: host ?? '', arguments: configuration, environment, runspacesPerProcess: 1 },
      {},
    )
    const shell = transport.createShell()
    cleanUp.push({ [Symbol.asyncDispose]: () => shell.destroy() })
    const limits = { stopMs: 5_000, resultBytesMax: 1_000_000, onThrottled: () => {} }
    const runspace = new Runspace({ shell, clock: systemClock, ...limits })
    await runspace.open(() => Promise.resolve())
    const ended: number[] = []
    const start = async (n: number) => {
      const command = { name: 'Get-Same', parameters: { Value: n } }
      const result = await runspace.run(n === 0 ? slow : command, { stop: signal, timeoutMs: 30_000 })
      ended.push(n)
      return result
    }
    const slow = { name: 'Start-Sleep', parameters: { Milliseconds: 500 } }

    const results = await Promise.all([0, 1, 2].map(start))

    expect(ended).toEqual([0, 1, 2])
    expect(results.map(({ failed, errors }) => ({ failed, errors }))).toEqual(Array(3).fill({ failed: false, errors: [] }))
    expect(valuesOf(results[2] as InvocationResult)).toEqual([2])
    await shell.delete()
  })

  test('an aborted cmdlet is stopped, and its runspace lives on', async () => {
    const pool = await open({ runspaces: 2 })
    const folder = await createFolder()
    const controller = new AbortController()
    const reason = new Error('enough')

    const invoked = pool.invoke(
      { name: 'Wait-Stop', parameters: { Folder: folder } },
      { ...options, signal: controller.signal },
    )
    await begunIn(folder, 1)
    controller.abort(reason)

    await expect(invoked).rejects.toBe(reason)
    expect(valuesOf(await run(pool, 'Get-Same', { Value: 1 }))).toEqual([1])
    expect(pool.stats()).toMatchObject({ shellsLost: 0 })
  })

  test('a cmdlet that is stopped while it starts does not take its runspace with it', async () => {
    const pool = await open({ runspaces: 4 })

    for (let n = 0; n < 20; n++) {
      const stop = new AbortController()
      const command = { name: 'Start-Sleep', parameters: { Seconds: 60 } }
      const running = pool.invoke(command, { ...options, signal: stop.signal })
      await eventually(() => expect(pool.stats().busy).toBe(1))
      stop.abort(new Error('at once'))
      await expect(running).rejects.toThrow('at once')
      const next = await run(pool, 'Get-Same', { Value: n })
      expect({ errors: next.errors, output: valuesOf(next) }).toEqual({ errors: [], output: [n] })
    }
    expect(pool.stats().shellsLost).toBe(0)
  })

  test('a cmdlet that runs too long is stopped, and its runspace lives on', async () => {
    const pool = await open()
    const folder = await createFolder()

    await expect(run(pool, 'Wait-Stop', { Folder: folder }, 500)).rejects.toMatchObject({
      code: 'cmdlet-timeout',
      detail: { mayHaveRun: true },
    })

    expect(valuesOf(await run(pool, 'Get-Same', { Value: 1 }))).toEqual([1])
    expect(pool.stats()).toMatchObject({ shellsOpened: 1, shellsLost: 0 })
  })

  test('a cmdlet that does not stop costs one runspace: the others of its process go on, and then the process is ended', async () => {
    const pool = await open({ runspaces: 3, limits: { stopMs: 300 }, stdio: { runspacesPerProcess: 3, idleTimeoutMs: 1_000 } })
    const [folder, others] = [await createFolder(), await createFolder()]
    // Long enough for the slow one to begin in the same process.
    const hung = run(pool, 'Wait-Hung', { Folder: folder }, 4_000).catch((error: unknown) => error)
    await begunIn(folder, 1)
    const processId = await processOf(pool)

    const slow = run(pool, 'Wait-Others', { Folder: others, Count: 2 })
    await begunIn(others, 1)
    expect(await hung).toMatchObject({ code: 'cmdlet-timeout', detail: { shellLost: true, mayHaveRun: true } })
    expect(isRunning(processId)).toBe(true)
    const together = await Promise.all([slow, run(pool, 'Wait-Others', { Folder: others, Count: 2 })])

    expect(valuesOf(together[0] as InvocationResult)).toEqual([processId])
    await eventually(() => expect(isRunning(processId)).toBe(false))
    expect(await processOf(pool)).not.toBe(processId)
    expect(pool.stats()).toMatchObject({ shellsLost: 1 })
  })

  test('a process that is killed fails what it runs at once, and is replaced while another process works', async () => {
    const pool = await open({ runspaces: 4, stdio: { runspacesPerProcess: 2 } })
    const [folder, release] = [await createFolder(), await createFolder()]
    const running = Array.from({ length: 4 }, () => run(pool, 'Wait-Others', { Folder: folder, Count: 5 }))
    const settled = Promise.allSettled(running)
    const [victim = 0] = await begunIn(folder, 4)
    const waiting = run(pool, 'Wait-Stop', { Folder: release }, 60_000)
    waiting.catch(() => {})

    process.kill(victim, 'SIGKILL')

    // The replacement takes what was queued, while the other process still works on its two.
    expect(await begunIn(release, 1)).not.toContain(victim)
    const late = run(pool, 'Wait-Others', { Folder: folder, Count: 5 })
    const outcomes = await settled
    const failures = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []))
    const results = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? valuesOf(outcome.value) : []))
    expect(failures).toHaveLength(2)
    for (const error of failures)
      expect(error).toMatchObject({
        name: 'RetryableError',
        code: 'powershell-exited',
        detail: { mayHaveRun: true, shellLost: true },
      })
    expect(results).toHaveLength(2)
    expect(results).not.toContain(victim)
    await late
    expect(pool.stats()).toMatchObject({ shellsLost: 2 })
  })

  test('a process that dies while it is idle costs no command', async () => {
    const pool = await open()
    const processId = await processOf(pool)

    process.kill(processId, 'SIGKILL')
    await eventually(() => expect(isRunning(processId)).toBe(false))

    expect(await processOf(pool)).not.toBe(processId)
    expect(pool.stats()).toMatchObject({ shellsOpened: 2, shellsLost: 1 })
  })

  test('a process that ends itself is told with its exit code', async () => {
    const pool = await open()

    await expect(run(pool, 'Stop-Everything', { Code: 7 })).rejects.toMatchObject({
      code: 'powershell-exited',
      detail: { exitCode: 7, mayHaveRun: true, shellLost: true },
    })
    expect(valuesOf(await run(pool, 'Get-Same', { Value: 1 }))).toEqual([1])
  })

  test('closing the pool ends its processes, those with a hung cmdlet too', async () => {
    const pool = await open({ runspaces: 2, limits: { stopMs: 200 }, stdio: { runspacesPerProcess: 1 } })
    const folder = await createFolder()
    const hung = run(pool, 'Wait-Hung', { Folder: folder }).catch((error: unknown) => error)
    const [busy = 0] = await begunIn(folder, 1)
    const idle = await processOf(pool)

    await pool[Symbol.asyncDispose]()

    expect(await hung).toMatchObject({ code: 'cmdlet-stopped', detail: { shellLost: true } })
    expect(idle).not.toBe(busy)
    expect([isRunning(idle), isRunning(busy)]).toEqual([false, false])
  })

  test('commands for every new runspace are run on every one', async () => {
    const onOpenRunspace = [{ name: 'Set-Prepared', parameters: {} }]
    const pool = await open({ runspaces: 2, onOpenRunspace })
    const folder = await createFolder()

    const processes = (await Promise.all([0, 1].map(() => run(pool, 'Wait-Others', { Folder: folder, Count: 2 })))).flatMap(
      valuesOf,
    )
    const prepared = (await Promise.all([0, 1].map(() => run(pool, 'Get-Prepared')))).flatMap(valuesOf)

    expect(new Set(processes).size).toBe(2)
    expect(prepared).toEqual([true, true])
    await expect(open({ onOpenRunspace, stdio: { runspacesPerProcess: 4 } })).rejects.toMatchObject({
      code: 'stdio-settings-refused',
    })
  })

  test('a session configuration that is not there is told in the words of PowerShell', async () => {
    await expect(open({ stdio: { arguments: ['-ConfigurationFile', '/does/not/exist.pssc'] } })).rejects.toMatchObject({
      name: 'RetryableError',
      message: expect.stringContaining('/does/not/exist.pssc'),
    })
  })

  test('what passed is shown to the trace', async () => {
    const types: string[] = []
    const pool = await open({ trace: ({ direction, messageType }) => types.push(`${direction} ${messageType}`) })

    await run(pool, 'Get-Same', { Value: 1 })

    await eventually(() => expect(types).toContain('received PIPELINE_STATE'))
    expect(types).toContain('sent CREATE_PIPELINE')
  })
})
