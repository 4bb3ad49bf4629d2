import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  type InvocationResult,
  type InvokeOptions,
  PsCredential,
  PsGuid,
  type PsObject,
  PsSecureString,
  type PsValue,
} from '../../../libs/powershell/src/index.ts'
import { eventually } from '../../environment/eventually.ts'
import type { OpenedTarget, PowerShellTarget } from '../../environment/powershell-targets.ts'
import { HOSTILE_TEXTS } from './hostile-texts.ts'

const TIMEOUT_MS = 30_000
const signal = new AbortController().signal
const RUNSPACES = 4

/** The contract of every PowerShell engine (design §6): the same cases, the same results, whatever carries them. */
export function describeContract(target: PowerShellTarget): void {
  describe.skipIf(target.unavailable !== undefined)(titleOf(target), () => {
    let opened: OpenedTarget

    beforeAll(async () => {
      opened = await target.open({ runspaces: RUNSPACES })
    }, 120_000)
    afterAll(async () => {
      await opened?.[Symbol.asyncDispose]()
    }, 60_000)

    const invoke = (name: string, parameters: Record<string, PsValue> = {}, options: Partial<InvokeOptions> = {}) =>
      opened.pool.invoke({ name, parameters }, { signal, timeoutMs: TIMEOUT_MS, ...options })

    describeValues(invoke)
    describeSecrets(invoke)
    describeStreams(invoke)
    describeErrors(invoke)
    describeStopping(invoke, () => opened)
    describeOrder(invoke)
    describeExchange(invoke)
  })
}

type Invoke = (
  name: string,
  parameters?: Record<string, PsValue>,
  options?: Partial<InvokeOptions>,
) => Promise<InvocationResult>

function titleOf({ name, unavailable }: PowerShellTarget): string {
  return unavailable === undefined ? name : `${name} (not here: ${unavailable})`
}

const ECHOED: Readonly<Record<string, PsValue>> = {
  'an empty text': '',
  'a text with every kind of quote': `"double" 'single' ‘typographic’ “quotes” \`back\``,
  'text that looks like script': '$(Remove-Item -Recurse /); & { exit } # $env:PATH',
  'text that looks like an escape': '_x0041__x005F_ _xZZZZ_',
  'control characters': '\u0000\u0001\u000b\u001f\u007f\u0085',
  'line ends': 'a\r\nb\nc\rd\u2028e',
  'a lone surrogate': 'x\ud800y',
  'an emoji': '👩‍👩‍👧 📱',
  markup: '<Obj RefId="0">&amp;]]></Obj>',
  true: true,
  'an Int32': -2_147_483_648,
  'an Int64 beyond 2^53': 9_007_199_254_740_993n,
  'a fraction': 0.1,
  bytes: new Uint8Array([0, 1, 254, 255]),
  nothing: null,
}

function describeValues(invoke: Invoke): void {
  it.each(Object.entries(ECHOED))('gives back %s as it was', async (_, value) => {
    const { output, errors } = await invoke('Test-Echo', { Value: value })

    expect(errors).toEqual([])
    expect(output.map(({ value: echoed, text }) => echoed ?? text ?? null)).toEqual(value === null ? [null] : [value])
  })

  it('gives back a date with its moment', async () => {
    const date = new Date('2026-02-28T23:59:59.123Z')

    const { output } = await invoke('Test-Echo', { Value: date })

    expect(output[0]?.value).toEqual(date)
  })

  it('gives back a GUID as text', async () => {
    const { output } = await invoke('Test-Echo', { Value: new PsGuid('6F9619FF-8B86-D011-B42D-00C04FC964FF') })

    expect(output[0]?.value).toBe('6f9619ff-8b86-d011-b42d-00c04fc964ff')
  })

  it('gives back a hashtable with nested lists', async () => {
    const { output } = await invoke('Test-Echo', { Value: { Add: ['A', 'b'], Remove: [], Deep: { n: 1 } } })

    const table = output[0]?.value as Map<string, unknown>
    expect(new Map([...table].toSorted())).toEqual(
      new Map<string, unknown>([
        ['Add', ['A', 'b']],
        ['Deep', new Map([['n', 1]])],
        ['Remove', []],
      ]),
    )
  })

  it('brings a text of a megabyte whole', async () => {
    const text = 'ä€\t'.repeat(350_000)

    const { output } = await invoke('Test-Echo', { Value: text })

    expect(output[0]?.value === text).toBe(true)
  })

  it('decodes only the wanted properties of an object', async () => {
    const { output } = await invoke('Get-CASMailbox', { ResultSize: 1 }, { properties: new Set(['Guid']) })

    expect(Object.keys(output[0]?.properties ?? {})).toEqual(['Guid'])
  })
}

function describeSecrets(invoke: Invoke): void {
  const SECRET = 'pass “w” _x0041_ 🔑'

  it('brings a SecureString to a cmdlet that can read it', async () => {
    const { output, errors } = await invoke('Test-Reveal', { Secret: new PsSecureString(SECRET) })

    expect({ errors, output: output.map((each) => each.value) }).toEqual({ errors: [], output: [SECRET] })
  })

  it('brings a PSCredential', async () => {
    const { output, errors } = await invoke('Test-Reveal', { Credential: new PsCredential('CONTOSO\\anna', SECRET) })

    expect({ errors, output: output.map((each) => each.value) }).toEqual({ errors: [], output: [`CONTOSO\\anna:${SECRET}`] })
  })
}

function describeStreams(invoke: Invoke): void {
  it('keeps every stream apart', async () => {
    const { output, warnings, verbose, debug, information, errors, failed } = await invoke('Test-Stream', {
      Verbose: true,
      Debug: true,
    })

    expect(output.map((each) => each.value)).toEqual(['output'])
    expect({ warnings, verbose, debug, failed }).toEqual({
      warnings: ['warning'],
      verbose: ['verbose'],
      debug: ['debug'],
      failed: false,
    })
    expect(information.map((each) => each.text)).toEqual(['information'])
    expect(errors.map((each) => each.message)).toEqual(['error'])
  })

  it('hands over many objects one by one, in their order', async () => {
    const seen: unknown[] = []

    const { output } = await invoke('Test-Many', { Count: 2_500 }, { onOutput: ({ value }: PsObject) => seen.push(value) })

    expect(output).toEqual([])
    expect(seen).toEqual(Array.from({ length: 2_500 }, (_, index) => index))
  })
}

function describeErrors(invoke: Invoke): void {
  it('goes on after an error that does not terminate', async () => {
    const { output, errors, failed } = await invoke('Test-Fail', { Message: 'small' })

    expect({ failed, output: output.map((each) => each.value) }).toEqual({ failed: false, output: ['after'] })
    expect(errors).toMatchObject([{ message: 'small', category: 'ObjectNotFound' }])
    expect(errors[0]?.fullyQualifiedErrorId).toMatch(/^TestFailed,/)
  })

  it('fails with an error that terminates, as the last of its errors', async () => {
    const { output, errors, failed } = await invoke('Test-Fail', { Message: 'great', Terminating: true })

    expect({ failed, output }).toEqual({ failed: true, output: [] })
    expect(errors.at(-1)).toMatchObject({ message: 'great', category: 'ObjectNotFound' })
  })

  it('says that a cmdlet is not there', async () => {
    const { errors, failed } = await invoke('Get-Nothing')

    expect(failed).toBe(true)
    expect(errors.at(-1)?.fullyQualifiedErrorId).toBe('CommandNotFoundException')
  })

  it('says which parameter is not there', async () => {
    const { errors, failed } = await invoke('Get-CASMailbox', { Nonsense: 1 })

    expect(failed).toBe(true)
    expect(errors.at(-1)?.fullyQualifiedErrorId).toMatch(/^NamedParameterNotFound/)
  })

  it.each([
    { command: { name: 'Get-Date; Get-Process', parameters: {} }, code: 'command-name-refused' },
    { command: { name: '& { 1 }', parameters: {} }, code: 'command-name-refused' },
    { command: { name: 'Get-CASMailbox', parameters: { '-Identity': 'x' } }, code: 'parameter-name-refused' },
    { command: { name: 'Get-CASMailbox', parameters: { Identity: ' ' } }, code: 'empty-identity' },
    { command: { name: 'Get-CASMailbox', parameters: { Identity: null } }, code: 'empty-identity' },
  ])('refuses $command.name $command.parameters before it leaves', async ({ command, code }) => {
    await expect(invoke(command.name, command.parameters)).rejects.toMatchObject({ name: 'PermanentError', code })
  })

  it('does not wait for an answer that nobody can give', async () => {
    const prompted = await invoke('Test-Prompt').then(
      ({ failed }) => (failed ? 'failed' : 'completed'),
      (error: { code?: string }) => error.code,
    )

    // A host that says it has no user interface may make the cmdlet fail by itself.
    expect(['failed', 'cmdlet-prompted']).toContain(prompted)
  })
}

/** The engine is as good as new. */
async function expectEcho(invoke: Invoke, value: string): Promise<void> {
  const { output, errors, failed } = await invoke('Test-Echo', { Value: value })
  expect({ failed, errors, output: output.map((each) => each.value) }).toEqual({ failed: false, errors: [], output: [value] })
}

function describeStopping(invoke: Invoke, opened: () => OpenedTarget): void {
  it('stops a cmdlet when told so, and runs the next one', async () => {
    const stop = new AbortController()
    const running = invoke('Test-Wait', { Milliseconds: 60_000 }, { signal: stop.signal, timeoutMs: 120_000 })
    await eventually(() => expect(opened().pool.stats().busy).toBeGreaterThan(0))

    stop.abort(new Error('No longer wanted'))

    await expect(running).rejects.toThrow('No longer wanted')
    await expectEcho(invoke, 'next')
  })

  it('stops a cmdlet that runs longer than it may', async () => {
    await expect(invoke('Test-Wait', { Milliseconds: 60_000 }, { timeoutMs: 200 })).rejects.toMatchObject({
      code: 'cmdlet-timeout',
      detail: { mayHaveRun: true },
    })
    await expectEcho(invoke, 'next')
  })

  it('never sends a command that was given up while it waited', async () => {
    const stop = new AbortController()
    stop.abort(new Error('Too late'))

    await expect(invoke('Test-Echo', { Value: 1 }, { signal: stop.signal })).rejects.toThrow('Too late')
  })

  it('loses one runspace to a cmdlet that does not stop, and works on', async () => {
    const stubborn = invoke('Test-Stubborn', { Milliseconds: 8_000 }, { timeoutMs: 300 })
    const others = Promise.allSettled(Array.from({ length: 12 }, (_, n) => invoke('Test-Echo', { Value: n })))

    await expect(stubborn).rejects.toMatchObject({ code: 'cmdlet-timeout', detail: { mayHaveRun: true } })
    const failed = (await others).filter(({ status }) => status === 'rejected')
    // One may have been sent ahead into the same runspace: it is told that it may have run.
    expect(failed.length).toBeLessThanOrEqual(1)
    for (const one of failed) expect(one).toMatchObject({ reason: { code: 'runspace-blocked', detail: { mayHaveRun: true } } })
    await expectEcho(invoke, 'after')
  })
}

function describeOrder(invoke: Invoke): void {
  it('runs as many cmdlets at once as it has runspaces', async () => {
    // Each waits until all of them are there: with one runspace less none would ever end.
    const met = await Promise.all(
      Array.from({ length: RUNSPACES }, () => invoke('Test-Meet', { Count: RUNSPACES, Name: 'everybody' })),
    )

    expect(met.map(({ output }) => output[0]?.value)).toEqual(Array.from({ length: RUNSPACES }, () => true))
  })

  it('keeps the results of many commands apart', async () => {
    const results = await Promise.all(Array.from({ length: 200 }, (_, n) => invoke('Test-Echo', { Value: `v${n}` })))

    expect(results.map(({ output }) => output[0]?.value)).toEqual(Array.from({ length: 200 }, (_, n) => `v${n}`))
  })
}

function describeExchange(invoke: Invoke): void {
  async function firstMailbox(): Promise<string> {
    const { output } = await invoke('Get-CASMailbox', { ResultSize: 1 })
    return String(output[0]?.properties.Guid)
  }

  async function allowedIds(identity: string): Promise<unknown> {
    const { output } = await invoke('Get-CASMailbox', { Identity: identity })
    return output[0]?.properties.ActiveSyncAllowedDeviceIDs
  }

  it('adds to and removes from a list of many values by a hashtable', async () => {
    const identity = await firstMailbox()
    const set = (change: PsValue) => invoke('Set-CASMailbox', { Identity: identity, ActiveSyncAllowedDeviceIDs: change })
    await set(null)

    await set({ Add: ['ONE', 'TWO'], Remove: [] })
    await set({ Add: ['THREE'], Remove: ['one'] })

    expect(await allowedIds(identity)).toEqual(['TWO', 'THREE'])
  })

  it('replaces a list by a list, and empties it by null', async () => {
    const identity = await firstMailbox()

    await invoke('Set-CASMailbox', { Identity: identity, ActiveSyncAllowedDeviceIDs: ['ONLY'] })
    expect(await allowedIds(identity)).toEqual(['ONLY'])

    await invoke('Set-CASMailbox', { Identity: identity, ActiveSyncAllowedDeviceIDs: null })
    expect(await allowedIds(identity)).toEqual([])
  })

  it('stores 200 hostile ids as they are and runs none of them', async () => {
    const identity = await firstMailbox()
    await invoke('Set-CASMailbox', { Identity: identity, ActiveSyncBlockedDeviceIDs: null })

    for (const text of HOSTILE_TEXTS) {
      const { errors } = await invoke('Set-CASMailbox', {
        Identity: identity,
        ActiveSyncBlockedDeviceIDs: { Add: [text], Remove: [] },
      })
      expect(errors).toEqual([])
    }

    const { output } = await invoke('Get-CASMailbox', { Identity: identity })
    expect(output[0]?.properties.ActiveSyncBlockedDeviceIDs).toEqual(HOSTILE_TEXTS)
    await invoke('Set-CASMailbox', { Identity: identity, ActiveSyncBlockedDeviceIDs: null })
  })

  it.each(HOSTILE_TEXTS.slice(0, 20))('finds no mailbox of the name %j, and says so', async (text) => {
    const { output, errors } = await invoke('Get-CASMailbox', { Identity: `nobody ${text}` })

    expect(output).toEqual([])
    expect(errors[0]?.fullyQualifiedErrorId).toMatch(/ManagementObjectNotFoundException/)
  })
}
