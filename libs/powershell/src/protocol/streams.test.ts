import { beforeEach, describe, expect, test } from 'vitest'
import { type ClientEvent, ClientPool } from './client-pool.ts'
import type { ProgressRecord } from './command.ts'
import { cutIntoFragments } from './fragments.ts'
import { MESSAGE_TYPES, writeMessage } from './message.ts'
import { ServerPool } from './server-pool.ts'

const POOL = '11111111-2222-3333-4444-555555555555'
const PIPELINE = 'aaaaaaaa-2222-3333-4444-555555555555'
const progress: ProgressRecord = {
  activity: 'Moving',
  activityId: 3,
  parentActivityId: -1,
  status: 'mailbox 4 of 10',
  currentOperation: 'copying',
  percentComplete: 40,
  secondsRemaining: 12,
  isCompleted: false,
}

let client: ClientPool
let server: ServerPool

function open(protocolVersion: string): void {
  client = new ClientPool({ runspacePoolId: POOL })
  server = new ServerPool({ protocolVersion })
  server.receive(client.open(1_000))
  client.receive(undefined, server.take(undefined, 100_000))
  for (const fragment of client.startPipeline(
    { name: 'Get-X', parameters: {} },
    { pipelineId: PIPELINE, fragmentBytesMax: 9_000 },
  ))
    server.receive(fragment, PIPELINE)
}

const received = (): ClientEvent[] => client.receive(PIPELINE, server.take(PIPELINE, 100_000))
const send = (type: number, xml: string): ClientEvent[] =>
  client.receive(
    PIPELINE,
    Buffer.concat(
      cutIntoFragments(1, writeMessage('client', { type, runspacePoolId: POOL, pipelineId: PIPELINE, xml }), 9_000),
    ),
  )

describe('the streams of a pipeline', () => {
  beforeEach(() => open('2.3'))

  test('arrive each on its own', () => {
    server.verbose(PIPELINE, 'v')
    server.debug(PIPELINE, 'd')
    server.warning(PIPELINE, 'w')
    server.progress(PIPELINE, progress)
    server.information(PIPELINE, 'i')

    expect(received()).toMatchObject([
      { kind: 'verbose', pipelineId: PIPELINE, text: 'v' },
      { kind: 'debug', text: 'd' },
      { kind: 'warning', text: 'w' },
      { kind: 'progress', record: progress },
      { kind: 'information', record: { text: 'i', data: 'i', source: 'Write-Information', tags: [] } },
    ])
  })

  test('carry the end of an activity', () => {
    server.progress(PIPELINE, { ...progress, currentOperation: '', isCompleted: true })

    expect(received()).toMatchObject([{ record: { isCompleted: true, currentOperation: '' } }])
  })

  test('bring information as PowerShell 7 serialises it', () => {
    const xml =
      '<Obj RefId="0"><TN RefId="0"><T>System.Management.Automation.InformationRecord</T><T>System.Object</T></TN><ToString>hello</ToString>' +
      '<Props><Obj N="MessageData" RefId="1"><TN RefId="1"><T>System.Management.Automation.HostInformationMessage</T></TN><ToString>hello</ToString></Obj>' +
      '<S N="Source">a.ps1</S><DT N="TimeGenerated">2026-11-26T14:27:04.0642229+00:00</DT><Obj N="Tags" RefId="2"><LST><S>PSHOST</S></LST></Obj>' +
      '<S N="User">root</S><S N="Computer">vm</S><U32 N="ProcessId">1</U32></Props></Obj>'

    expect(send(MESSAGE_TYPES.informationRecord, xml)).toMatchObject([
      { record: { text: 'hello', source: 'a.ps1', tags: ['PSHOST'], user: 'root', computer: 'vm' } },
    ])
  })

  test.each([
    ['verbose', MESSAGE_TYPES.verboseRecord],
    ['progress', MESSAGE_TYPES.progressRecord],
    ['information', MESSAGE_TYPES.informationRecord],
    ['error', MESSAGE_TYPES.errorRecord],
  ])('survive a %s record without any of its members', (kind, type) => {
    for (const xml of ['<Nil />', '<S>x</S>', '<Obj RefId="0" />', '<Obj RefId="0"><LST /></Obj>'])
      expect(send(type, xml)).toMatchObject([{ kind }])
  })

  test('have null where PowerShell writes nothing at all', () => {
    expect(send(MESSAGE_TYPES.pipelineOutput, '')).toEqual([{ kind: 'output', pipelineId: PIPELINE, value: null }])
  })
})

test('a client of protocol 2.2 is not sent information, which it would not know', () => {
  open('2.2')

  server.information(PIPELINE, 'i')

  expect(received()).toEqual([])
})
