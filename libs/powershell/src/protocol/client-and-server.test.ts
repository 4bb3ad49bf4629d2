import { PermanentError } from '@gatehouse/messages'
import { beforeEach, describe, expect, test } from 'vitest'
import { type ClientEvent, ClientPool } from './client-pool.ts'
import type { ErrorRecord } from './command.ts'
import { cutIntoFragments } from './fragments.ts'
import { MESSAGE_TYPES, writeMessage } from './message.ts'
import { ServerObject } from './ps-value.ts'
import { type ServerEvent, ServerPool } from './server-pool.ts'

const POOL = '11111111-2222-3333-4444-555555555555'
const PIPELINE = 'AAAAAAAA-2222-3333-4444-555555555555'
const record: ErrorRecord = {
  message: "The operation couldn't be performed because object 'x' couldn't be found",
  fullyQualifiedErrorId:
    '[Server=EX1,RequestId=1,TimeStamp=2] [FailureCategory=Cmdlet-ManagementObjectNotFoundException] 3F1C,Microsoft.Exchange.Management.RecipientTasks.SetCASMailbox',
  category: 'ObjectNotFound',
  exceptionType: 'Microsoft.Exchange.Configuration.Tasks.ManagementObjectNotFoundException',
  targetText: 'x',
}

let client: ClientPool
let server: ServerPool

beforeEach(() => {
  client = new ClientPool({ runspacePoolId: POOL })
  server = new ServerPool()
})

function openBoth(): void {
  server.receive(client.open(1_000))
  client.receive(undefined, server.take(undefined, 100_000))
}

function startPipeline(parameters = {}, fragmentBytesMax = 400): ServerEvent[] {
  const fragments = client.startPipeline({ name: 'Set-CASMailbox', parameters }, { pipelineId: PIPELINE, fragmentBytesMax })
  return fragments.flatMap((fragment) => server.receive(fragment, PIPELINE))
}

/** Moves everything of the pipeline to the client, in small answers. */
function drain(maxBytes = 150): ClientEvent[] {
  const events: ClientEvent[] = []
  while (server.hasBytes(PIPELINE)) events.push(...client.receive(PIPELINE, server.take(PIPELINE, maxBytes)))
  return events
}

describe('a client and a server', () => {
  test('open a pool and agree on the older protocol', () => {
    server = new ServerPool({ protocolVersion: '2.1' })

    const events = server.receive(client.open(60))
    const seen = client.receive(undefined, server.take(undefined, 100_000))

    expect(events).toEqual([{ kind: 'opened', runspacePoolId: POOL, protocolVersion: '2.1', minRunspaces: 1, maxRunspaces: 1 }])
    expect(seen).toEqual([{ kind: 'pool-state', state: 'opened', reason: undefined }])
    expect([client.state, client.protocolVersion]).toEqual(['opened', '2.1'])
    expect(startPipeline()).toHaveLength(1)
  })

  test('carry a command with hostile parameters exactly', () => {
    openBoth()
    const hostile = '$(calc)"\'`_x0041_\u0001\ud800😀'

    const events = startPipeline({
      Identity: hostile,
      ActiveSyncAllowedDeviceIDs: { Add: [hostile], Remove: null },
      Force: true,
      Size: 2n ** 53n + 1n,
    })

    expect(events).toEqual([
      {
        kind: 'pipeline',
        pipelineId: PIPELINE.toLowerCase(),
        hasInput: false,
        commands: [
          {
            name: 'Set-CASMailbox',
            isScript: false,
            parameters: [
              { name: 'Identity', value: hostile },
              {
                name: 'ActiveSyncAllowedDeviceIDs',
                value: new Map<string, unknown>([
                  ['Add', [hostile]],
                  ['Remove', null],
                ]),
              },
              { name: 'Force', value: true },
              { name: 'Size', value: 9007199254740993n },
            ],
          },
        ],
      },
    ])
  })

  test('carry output, errors, warnings and the end in order, through answers of any size', () => {
    openBoth()
    startPipeline()
    const types = ['Deserialized.Device']

    server.outputObjects(
      PIPELINE,
      [1, 2].map((n) => new ServerObject({ typeNames: types, text: `d${n}`, properties: { n } })),
    )
    server.output(PIPELINE, 'text')
    server.warning(PIPELINE, 'Micro delay applied. Actual delayed: 12 msecs')
    server.error(PIPELINE, record)
    server.state(PIPELINE, 'completed')
    const events = drain()

    expect(events.map((event) => event.kind)).toEqual(['output', 'output', 'output', 'warning', 'error', 'pipeline-state'])
    expect(events[1]).toMatchObject({ value: { text: 'd2', properties: { n: 2 } } })
    expect(events[3]).toMatchObject({ text: 'Micro delay applied. Actual delayed: 12 msecs' })
    expect(events[4]).toEqual({ kind: 'error', pipelineId: PIPELINE.toLowerCase(), record })
    expect(events[5]).toMatchObject({ state: 'completed' })
    expect(server.isDone(PIPELINE)).toBe(true)
    expect(client.isBetweenMessages(PIPELINE)).toBe(true)
  })

  test.each(['failed', 'stopped'] as const)('say why a pipeline is %s', (state) => {
    openBoth()
    startPipeline()

    server.state(PIPELINE, state, record)
    server.output(PIPELINE, 'too late')

    expect(drain()).toEqual([{ kind: 'pipeline-state', pipelineId: PIPELINE.toLowerCase(), state, reason: record }])
  })

  test('encode a long result only while it is taken', () => {
    openBoth()
    startPipeline()
    let encoded = 0
    function* objects(): Generator<string> {
      for (; encoded < 1_000; encoded++) yield 'x'.repeat(100)
    }

    server.outputObjects(PIPELINE, objects())
    server.take(PIPELINE, 1_000)

    expect(encoded).toBeLessThan(20)
  })

  test('tell of a broken pool', () => {
    openBoth()

    server.poolState('broken', record)

    expect(client.receive(undefined, server.take(undefined, 10_000))).toEqual([
      { kind: 'pool-state', state: 'broken', reason: record },
    ])
  })

  test('tell the transport when there are bytes', () => {
    const told: (string | undefined)[] = []
    server = new ServerPool({ onBytes: (pipelineId) => told.push(pipelineId) })
    openBoth()
    startPipeline()

    server.state(PIPELINE, 'completed')

    expect(told).toEqual([undefined, undefined, undefined, PIPELINE])
  })
})

describe('the client', () => {
  function send(type: number, xml: string, pipelineId?: string, runspacePoolId = POOL): ClientEvent[] {
    const message = writeMessage('client', { type, runspacePoolId, pipelineId, xml })
    return cutIntoFragments(99, message, 1_000).flatMap((fragment) => client.receive(pipelineId, fragment))
  }

  test('reports a prompt, but not a call that wants no answer', () => {
    openBoth()
    startPipeline()
    const call = (ci: number) =>
      `<Obj RefId="0"><MS><I64 N="ci">${ci}</I64><Obj N="mi" RefId="1"><ToString>PromptForChoice</ToString><I32>26</I32></Obj></MS></Obj>`

    expect(send(MESSAGE_TYPES.pipelineHostCall, call(-100), PIPELINE)).toEqual([])
    expect(send(MESSAGE_TYPES.pipelineHostCall, call(1), PIPELINE)).toEqual([
      { kind: 'prompt', pipelineId: PIPELINE.toLowerCase(), method: 'PromptForChoice' },
    ])
  })

  test('ignores messages that it does not know and pipelines that it has forgotten', () => {
    openBoth()
    startPipeline()
    client.forgetPipeline(PIPELINE)

    expect(send(0x00041010, '<S>progress</S>')).toEqual([])
    expect(send(MESSAGE_TYPES.pipelineOutput, 'not even XML', PIPELINE)).toEqual([])
  })

  test.each([
    ['another pool', () => send(MESSAGE_TYPES.runspacePoolState, '<S/>', undefined, PIPELINE)],
    [
      'a state that is not known',
      () => send(MESSAGE_TYPES.runspacePoolState, '<Obj RefId="0"><MS><I32 N="RunspaceState">77</I32></MS></Obj>'),
    ],
    [
      'an open pool without a capability',
      () => send(MESSAGE_TYPES.runspacePoolState, '<Obj RefId="0"><MS><I32 N="RunspaceState">2</I32></MS></Obj>'),
    ],
    [
      'a message for the server',
      () =>
        client.receive(
          undefined,
          Buffer.concat(
            cutIntoFragments(1, writeMessage('server', { type: 1, runspacePoolId: POOL, pipelineId: undefined, xml: '' }), 100),
          ),
        ),
    ],
    [
      'a message shorter than its header',
      () => client.receive(undefined, Buffer.concat(cutIntoFragments(1, Buffer.alloc(39), 100))),
    ],
    [
      'text that is not UTF-8',
      () =>
        client.receive(
          undefined,
          Buffer.concat(
            cutIntoFragments(
              1,
              Buffer.concat([
                writeMessage('client', { type: 0x00021005, runspacePoolId: POOL, pipelineId: undefined, xml: '' }),
                Buffer.from([0xc3, 0x28]),
              ]),
              100,
            ),
          ),
        ),
    ],
  ])('refuses %s', (_what, act) => {
    client.open(1_000)

    expect(act).toThrow(PermanentError)
  })

  test('starts no pipeline before the pool is open', () => {
    expect(() => startPipeline()).toThrow(expect.objectContaining({ code: 'psrp-state' }))
  })
})

describe('the server', () => {
  test.each([
    [
      'a pipeline before the pool is open',
      () => {
        const other = new ClientPool({ runspacePoolId: POOL })
        const opened = new ServerPool()
        opened.receive(other.open(1_000))
        other.receive(undefined, opened.take(undefined, 100_000))
        for (const fragment of other.startPipeline(
          { name: 'Get-X', parameters: {} },
          { pipelineId: PIPELINE, fragmentBytesMax: 1_000 },
        ))
          server.receive(fragment)
      },
    ],
    [
      'a pool that opens twice',
      () => {
        openBoth()
        server.receive(new ClientPool({ runspacePoolId: POOL }).open(1_000))
      },
    ],
    ['bytes that are no fragments', () => server.receive(Buffer.from('GET / HTTP/1.1\r\n\r\nHello, is anybody there?'))],
  ])('refuses %s', (_what, act) => {
    expect(act).toThrow(PermanentError)
  })
})
