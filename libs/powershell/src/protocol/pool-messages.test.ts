import { beforeEach, describe, expect, test } from 'vitest'
import { type ClientEvent, ClientPool, type PoolCall } from './client-pool.ts'
import { cutIntoFragments } from './fragments.ts'
import { MESSAGE_TYPES, writeMessage } from './message.ts'
import type { PsData, PsObject } from './ps-data.ts'
import { PsSecureString } from './ps-secure-string.ts'
import { type ServerEvent, ServerPool } from './server-pool.ts'
import { sessionCapabilityXml } from './session-xml.ts'

const POOL = '11111111-2222-3333-4444-555555555555'
const PIPELINE = 'aaaaaaaa-2222-3333-4444-555555555555'
let client: ClientPool
let server: ServerPool

function open(protocolVersion = '2.3'): void {
  client = new ClientPool({ runspacePoolId: POOL, runspaces: { min: 1, max: 4 } })
  server = new ServerPool({ protocolVersion })
  server.receive(client.open(1_000))
  client.receive(undefined, server.take(undefined, 100_000))
}

/** Carries what is given to the server, and its answer back. */
function exchange(fragments: readonly Buffer[]): ClientEvent[] {
  for (const fragment of fragments) server.receive(fragment)
  return client.receive(undefined, server.take(undefined, 100_000))
}

function start(parameters: Record<string, unknown> = {}): ServerEvent[] {
  const command = { name: 'Set-X', parameters: parameters as never }
  const fragments = client.startPipeline(command, { pipelineId: PIPELINE, fragmentBytesMax: 500 })
  return fragments.flatMap((fragment) => server.receive(fragment, PIPELINE))
}

const send = (type: number, xml: string, stream?: string): ClientEvent[] =>
  client.receive(
    stream,
    Buffer.concat(
      cutIntoFragments(1, writeMessage('client', { type, runspacePoolId: POOL, pipelineId: undefined, xml }), 9_000),
    ),
  )

describe('an open pool', () => {
  beforeEach(() => open())

  test.each<[PoolCall, boolean | number, { min: number; max: number }]>([
    [{ kind: 'set-max', runspaces: 9 }, true, { min: 1, max: 9 }],
    [{ kind: 'set-min', runspaces: 3 }, true, { min: 3, max: 4 }],
    [{ kind: 'set-min', runspaces: 5 }, false, { min: 1, max: 4 }],
    [{ kind: 'set-max', runspaces: 0 }, false, { min: 1, max: 4 }],
    [{ kind: 'get-available' }, 4, { min: 1, max: 4 }],
    [{ kind: 'reset' }, true, { min: 1, max: 4 }],
  ])('answers %j with %s', (call, answer, runspaces) => {
    const { callId, fragments } = client.callPool(call, 60)

    expect(exchange(fragments)).toEqual([{ kind: 'availability', callId, answer }])
    expect(client.runspaces).toEqual(runspaces)
  })

  test('counts its free runspaces', () => {
    start()
    const busy = exchange(client.callPool({ kind: 'get-available' }, 500).fragments)
    server.state(PIPELINE, 'completed')
    const idle = exchange(client.callPool({ kind: 'get-available' }, 500).fragments)

    expect([busy, idle]).toMatchObject([[{ answer: 3 }], [{ answer: 4 }]])
  })

  test('takes no notice of an answer to nothing', () => {
    const xml = '<Obj RefId="0"><MS><I64 N="SetMinMaxRunspacesResponse">1</I64><I64 N="ci">77</I64></MS></Obj>'

    expect(send(MESSAGE_TYPES.runspaceAvailability, xml)).toEqual([])
  })

  test('tells what the server says of itself', () => {
    const table = (client.applicationPrivateData as Map<string, Map<string, PsData>>).get('PSVersionTable')

    expect(table?.get('PSVersion')).toBe('5.1.17763.1')
  })

  test('takes over the number of runspaces that a connected pool has', () => {
    send(
      MESSAGE_TYPES.runspacePoolInitData,
      '<Obj RefId="0"><MS><I32 N="MinRunspaces">2</I32><I32 N="MaxRunspaces">7</I32></MS></Obj>',
    )

    expect(client.runspaces).toEqual({ min: 2, max: 7 })
  })

  test('forwards the events of the engine', () => {
    const xml = '<Obj RefId="0"><MS><S N="PSEventArgs.SourceIdentifier">Timer</S></MS></Obj>'

    expect(send(MESSAGE_TYPES.userEvent, xml)).toMatchObject([{ kind: 'user-event', source: 'Timer' }])
  })

  test('finds a message of the pool on the stream of a pipeline', () => {
    start()
    const xml = '<Obj RefId="0"><MS><I32 N="RunspaceState">5</I32></MS></Obj>'

    expect(send(MESSAGE_TYPES.runspacePoolState, xml, PIPELINE)).toMatchObject([{ kind: 'pool-state', state: 'broken' }])
  })

  test('does not let one pipeline speak for another', () => {
    start()
    const other = 'bbbbbbbb-2222-3333-4444-555555555555'
    client.startPipeline({ name: 'Get-Y', parameters: {} }, { pipelineId: other, fragmentBytesMax: 9_000 })
    server.output(PIPELINE, 'for the first')

    expect(() => client.receive(other, server.take(PIPELINE, 9_000))).toThrow(
      expect.objectContaining({ code: 'psrp-malformed' }),
    )
  })

  test('reports a prompt, but not what a host is only told', () => {
    start()
    server.hostCall(PIPELINE, { method: 'WriteLine2', number: 15, wantsAnswer: false })
    server.hostCall(PIPELINE, { method: 'ReadLine', number: 11, wantsAnswer: true })

    expect(client.receive(PIPELINE, server.take(PIPELINE, 9_000))).toEqual([
      { kind: 'prompt', pipelineId: PIPELINE, method: 'ReadLine' },
    ])
  })
})

describe('the versions of both sides', () => {
  test.each(['2.4', '2.101', '3.0', '1.0', 'two'])('a server that says %s is refused', (protocol) => {
    client = new ClientPool({ runspacePoolId: POOL })
    client.open(1_000)
    const xml = sessionCapabilityXml({ protocol, powerShell: '2.0', serialization: '1.1.0.1' })

    expect(() => send(MESSAGE_TYPES.sessionCapability, xml)).toThrow(
      expect.objectContaining({ code: 'psrp-version-refused', message: expect.stringContaining(protocol) }),
    )
  })

  test.each(['2.0', '1.2.3.4'])('serialization %s is taken when it is 1.x', (serialization) => {
    client = new ClientPool({ runspacePoolId: POOL })
    client.open(1_000)
    const act = () =>
      send(MESSAGE_TYPES.sessionCapability, sessionCapabilityXml({ protocol: '2.1', powerShell: '2.0', serialization }))

    if (serialization.startsWith('1.')) expect(act).not.toThrow()
    else expect(act).toThrow(expect.objectContaining({ code: 'psrp-version-refused' }))
  })

  test('a server that says its version twice is refused', () => {
    open()
    const xml = sessionCapabilityXml({ protocol: '2.1', powerShell: '2.0', serialization: '1.1.0.1' })

    expect(() => send(MESSAGE_TYPES.sessionCapability, xml)).toThrow(expect.objectContaining({ code: 'psrp-malformed' }))
  })

  test.each([
    ['2.1', []],
    ['2.2', ['MergeDebug', 'MergeError', 'MergeVerbose', 'MergeWarning']],
    ['2.3', ['MergeDebug', 'MergeError', 'MergeInformation', 'MergeVerbose', 'MergeWarning']],
  ])('a pipeline for protocol %s merges only streams that it knows', (version, merged) => {
    const seen: string[] = []
    client = new ClientPool({ runspacePoolId: POOL, trace: ({ xml }) => seen.push(xml), traceCharactersMax: 100_000 })
    server = new ServerPool({ protocolVersion: version })
    server.receive(client.open(1_000))
    client.receive(undefined, server.take(undefined, 100_000))

    start()

    const names = [...(seen.at(-1) ?? '').matchAll(/N="(Merge\w+)"/g)].map(([, name]) => name)
    expect(
      names.filter((name) => !['MergeMyResult', 'MergeToResult', 'MergePreviousResults'].includes(name ?? '')).sort(),
    ).toEqual(merged)
  })

  test('a runspace is not reset over a protocol that cannot', () => {
    open('2.2')

    expect(() => client.callPool({ kind: 'reset' }, 500)).toThrow(expect.objectContaining({ code: 'psrp-state' }))
  })
})

describe('SecureStrings', () => {
  beforeEach(() => open())

  test('are sent once the key is exchanged, and not before', async () => {
    const parameters = { Password: new PsSecureString('pässwörd'), Force: true }
    const needed = client.needsSessionKey({ name: 'Set-X', parameters })

    expect(() => start(parameters)).toThrow(expect.objectContaining({ code: 'psrp-session-key-missing' }))
    const answer = exchange(await client.requestSessionKey(100))
    const [event] = start(parameters)

    expect(answer).toEqual([{ kind: 'session-key' }])
    expect([needed, client.needsSessionKey({ name: 'Set-X', parameters })]).toEqual([true, false])
    const value = event?.kind === 'pipeline' ? event.commands[0]?.parameters[0]?.value : undefined
    expect((value as PsSecureString).reveal()).toBe('pässwörd')
  })

  test('that came before the key are revealed after it', async () => {
    server.sessionKey.createKey()
    start()
    server.output(PIPELINE, { deep: new PsSecureString('from the server') })
    const [event] = client.receive(PIPELINE, server.take(PIPELINE, 9_000))
    const secret = event?.kind === 'output' ? (event.value as Map<string, PsSecureString>).get('deep') : undefined
    const wanted = client.isKeyWanted

    exchange(await client.requestSessionKey(9_000))

    expect([wanted, client.isKeyWanted]).toEqual([true, false])
    expect(secret?.reveal()).toBe('from the server')
  })

  test('are announced by an older server, which asks for the public key', async () => {
    server.requestPublicKey()

    const events = exchange([])
    const wanted = client.isKeyWanted
    exchange(await client.requestSessionKey(9_000))

    expect(events).toEqual([{ kind: 'public-key-request' }])
    expect([wanted, client.isKeyWanted]).toEqual([true, false])
  })

  test('need no key where there is none in the parameters', () => {
    const parameters = { Identity: 'a', List: ['b'], Map: new Map([['c', 1]]), Bytes: new Uint8Array(9), At: new Date(0) }

    expect(client.needsSessionKey({ name: 'Set-X', parameters })).toBe(false)
  })

  test('are found however deep they are', () => {
    const secret = new PsSecureString('x')
    const deep = [{ list: [new Map([['key', [secret]]])] }]

    expect(client.needsSessionKey({ name: 'Set-X', parameters: { Value: deep } })).toBe(true)
  })

  test.each([
    ['a session key that nobody asked for', MESSAGE_TYPES.encryptedSessionKey, '<S N="EncryptedSessionKey">AAAA</S>'],
    ['a session key that is no text', MESSAGE_TYPES.encryptedSessionKey, '<I32 N="EncryptedSessionKey">1</I32>'],
  ])('make %s an error of its own', (_what, type, member) => {
    expect(() => send(type, `<Obj RefId="0"><MS>${member}</MS></Obj>`)).toThrow(
      expect.objectContaining({ code: expect.stringMatching(/^psrp-(session-key-refused|malformed)$/) }),
    )
  })

  test('of one pool are exchanged once for all who want it at the same time', async () => {
    let exchanges = 0
    const perform = async () => {
      exchanges++
      exchange(await client.requestSessionKey(9_000))
    }

    await Promise.all([client.exchangeKeyOnce(perform), client.exchangeKeyOnce(perform)])

    expect(exchanges).toBe(1)
    expect(client.sessionKey.isReady).toBe(true)
  })
})

test('an object keeps its types on the way through both halves', () => {
  open()
  start()
  server.outputEncoded(PIPELINE, '<Obj RefId="0"><TN RefId="0"><T>A</T></TN><MS><C N="c">65</C></MS></Obj>')

  const [event] = client.receive(PIPELINE, server.take(PIPELINE, 9_000))

  expect(event?.kind === 'output' ? (event.value as PsObject).typeNames : []).toEqual(['A'])
})
