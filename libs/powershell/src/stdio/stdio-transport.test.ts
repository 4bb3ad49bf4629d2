import { describe, expect, test } from 'vitest'
import { basicEnvironment, environmentOf } from './environment.ts'
import { createStdioTransport, type StdioTransportOptions } from './stdio-transport.ts'

const options = { kind: 'stdio', executable: '/opt/pwsh' } as const
const refused = expect.objectContaining({ name: 'PermanentError', code: 'stdio-settings-refused' })

describe('createStdioTransport', () => {
  test.each([
    ['no executable', { executable: '' }],
    ['a NUL in an argument', { arguments: ['a\0b'] }],
    ['a NUL in a variable', { environment: { A: '\0' } }],
    ['no runspace', { runspacesPerProcess: 0 }],
    ['half a runspace', { runspacesPerProcess: 1.5 }],
    ['too many runspaces', { runspacesPerProcess: 65 }],
    ['hardly any idle time', { idleTimeoutMs: 10 }],
    ['an age that is no number', { ageMs: Number.NaN }],
  ] satisfies [string, Partial<StdioTransportOptions>][])('refuses %s', (_what, wrong) => {
    expect(() => createStdioTransport({ ...options, ...wrong })).toThrow(refused)
  })

  test('puts as many shells into a process as it has runspaces, and fills the gaps first', async () => {
    const { createShell } = createStdioTransport({ ...options, runspacesPerProcess: 2 })
    const shells = [createShell(), createShell(), createShell()]
    expect(shells[1]?.client).toBe(shells[0]?.client)
    expect(shells[2]?.client).not.toBe(shells[0]?.client)

    await shells[0]?.destroy()
    await shells[2]?.destroy()

    // A shell that was given up while its process was not open yet makes nobody else wait for it.
    expect(createShell().client).not.toBe(shells[1]?.client)
  })

  test('gives a process one runspace when every runspace is to be prepared', () => {
    const { createShell } = createStdioTransport(options, { preparesRunspaces: true })

    expect(createShell().client).not.toBe(createShell().client)
    expect(() => createStdioTransport({ ...options, runspacesPerProcess: 2 }, { preparesRunspaces: true })).toThrow(refused)
  })

  test('adds no shell to a process that is old', () => {
    let now = 0
    const clock = { now: () => now, setTimeout: () => () => {} }
    const { createShell } = createStdioTransport({ ...options, ageMs: 1_000 }, { clock })
    const first = createShell()

    now = 999
    expect(createShell().client).toBe(first.client)
    now = 1_000
    expect(createShell().client).not.toBe(first.client)
  })
})

describe('the environment of a process', () => {
  test('is what was asked for, and what keeps PowerShell quiet', () => {
    expect(environmentOf({ PATH: '/bin', TERM: 'xterm' }, 4)).toEqual({
      PATH: '/bin',
      TERM: 'xterm',
      NO_COLOR: '1',
      POWERSHELL_TELEMETRY_OPTOUT: '1',
      POWERSHELL_UPDATECHECK: 'Off',
      DOTNET_ThreadPool_ForceMinWorkerThreads: '10',
    })
  })

  test('usually takes only paths, home and locale from ours', () => {
    expect(basicEnvironment({ PATH: '/bin', HOME: '/root', GATEHOUSE_PASSWORD: 'secret', LANG: undefined })).toEqual({
      PATH: '/bin',
      HOME: '/root',
    })
  })
})
