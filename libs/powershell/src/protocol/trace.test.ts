import { describe, expect, test } from 'vitest'
import { ClientPool } from './client-pool.ts'
import type { Command } from './command.ts'
import { maskXml } from './mask-xml.ts'
import { PsCredential } from './ps-credential.ts'
import { PsSecureString } from './ps-secure-string.ts'
import { ServerPool } from './server-pool.ts'
import type { Trace, TraceEntry } from './trace.ts'

const POOL = '11111111-2222-3333-4444-555555555555'
const PIPELINE = 'aaaaaaaa-2222-3333-4444-555555555555'

async function play(command: Command, trace: Trace, traceCharactersMax?: number): Promise<void> {
  const client = new ClientPool({ runspacePoolId: POOL, trace, traceCharactersMax })
  const server = new ServerPool()
  server.receive(client.open(1_000))
  client.receive(undefined, server.take(undefined, 100_000))
  for (const fragment of await client.requestSessionKey(9_000)) server.receive(fragment)
  client.receive(undefined, server.take(undefined, 100_000))
  for (const fragment of client.startPipeline(command, { pipelineId: PIPELINE, fragmentBytesMax: 200_000 }))
    server.receive(fragment, PIPELINE)
  server.output(PIPELINE, { Token: 'hunter2', Name: 'visible' })
  server.state(PIPELINE, 'completed')
  client.receive(PIPELINE, server.take(PIPELINE, 100_000))
}

describe('a trace', () => {
  test('shows every message in its direction, by its name in the specification', async () => {
    const entries: TraceEntry[] = []

    await play({ name: 'Get-X', parameters: {} }, (entry) => entries.push(entry))

    expect(entries.map(({ direction, messageType }) => `${direction} ${messageType}`)).toEqual([
      'sent SESSION_CAPABILITY',
      'sent INIT_RUNSPACEPOOL',
      'received SESSION_CAPABILITY',
      'received APPLICATION_PRIVATE_DATA',
      'received RUNSPACEPOOL_STATE',
      'sent PUBLIC_KEY',
      'received ENCRYPTED_SESSION_KEY',
      'sent CREATE_PIPELINE',
      'received PIPELINE_OUTPUT',
      'received PIPELINE_STATE',
    ])
    expect(entries.map(({ pipelineId }) => pipelineId).slice(-3)).toEqual([PIPELINE, PIPELINE, PIPELINE])
  })

  test('masks what is secret and shows the rest', async () => {
    const entries: TraceEntry[] = []
    const command: Command = {
      name: 'Set-X',
      parameters: {
        Identity: 'visible',
        NewPassword: 'hunter2',
        Auth: new PsCredential('visible-user', 'hunter2'),
        Value: new PsSecureString('hunter2'),
        Options: { clientSecret: ['hunter2', { deep: 'hunter2' }], other: 'visible-too' },
      },
    }

    await play(command, (entry) => entries.push(entry))

    const all = entries.map(({ xml }) => xml).join('\n')
    expect(all).not.toContain('hunter2')
    expect(all).not.toMatch(/<SS[^>]*>(?!\*\*\*)/)
    for (const text of ['visible', 'visible-user', 'visible-too', 'NewPassword', '***']) expect(all).toContain(text)
  })

  test('is cut where it is longer than wanted', async () => {
    const entries: TraceEntry[] = []

    await play({ name: 'Set-X', parameters: { Value: 'x'.repeat(100_000) } }, (entry) => entries.push(entry), 500)

    const sent = entries.find(({ messageType }) => messageType === 'CREATE_PIPELINE')
    expect(sent?.xml).toMatch(/\[cut: the message has \d{6} characters\]$/)
    expect(sent?.xml.length).toBeLessThan(600)
  })

  test('changes nothing when it fails', async () => {
    const trace = () => {
      throw new Error('the disk is full')
    }

    await expect(play({ name: 'Get-X', parameters: {} }, trace)).resolves.toBeUndefined()
  })
})

describe('masking', () => {
  test.each([
    ['<SS N="a">AAAA</SS>', '<SS N="a">***</SS>'],
    ['<Obj><MS><S N="Password">x</S><S N="b">y</S></MS></Obj>', '<Obj><MS><S N="Password">***</S><S N="b">y</S></MS></Obj>'],
    [
      '<Obj><DCT><En><S N="Key">api_x0054_oken</S><S N="Value">x</S></En><En><S N="Key">b</S><S N="Value">y</S></En></DCT></Obj>',
      '<Obj><DCT><En><S N="Key">api_x0054_oken</S><S N="Value">***</S></En><En><S N="Key">b</S><S N="Value">y</S></En></DCT></Obj>',
    ],
    ['<Obj N="Credential"><Props><S N="UserName">x</S></Props><ToString>x</ToString></Obj>', '<Obj N="Credential">***</Obj>'],
    ['<S>a &amp; b &lt;</S>', '<S>a &amp; b &lt;</S>'],
    ['<Nil N="Password"/>', '<Nil N="Password">***</Nil>'],
  ])('makes %s readable', (xml, masked) => {
    expect(maskXml(xml, 10_000)).toBe(masked)
  })

  test('shows nothing of what is not well formed', () => {
    expect(maskXml('<S N="Password">hunter2', 10_000)).toBe('[not well formed: 23 characters]')
    expect(maskXml('', 10_000)).toBe('[not well formed: 0 characters]')
  })
})
