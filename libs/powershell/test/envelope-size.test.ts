import { afterEach, describe, expect, test } from 'vitest'
import { closeAll, command, completeAtOnce, openPool, options, start } from './open-pool.ts'
import type { Script, ScriptedServer } from './scripted-wsman-server.ts'

afterEach(closeAll)

function counted(): { script: Script; received: string[] } {
  const received: string[] = []
  const script: Script = (call) => {
    received.push(String(call.command.parameters[0]?.value ?? call.command.name))
    void completeAtOnce(call)
  }
  return { script, received }
}

describe('the size of envelopes', () => {
  test('grows once the server speaks protocol 2.2', async () => {
    const server = await start(completeAtOnce)
    const pool = await openPool(server)

    await pool.invoke(command, options)

    expect(sizesOf(server, 'Create')).toEqual([153_600])
    expect(sizesOf(server, 'Command')).toEqual([512_000])
  })

  test.each<[string, number, 'fault' | 413, number[]]>([
    ['that takes what Windows Server 2008 R2 did', 153_600, 'fault', [512_000, 153_600, 153_600]],
    ['that takes the least there is', 32_768, 'fault', [32_768, 32_768]],
    ['that only looks at the length of the body', 153_600, 413, [512_000, 512_000]],
  ])('fits a server %s', async (_what, envelopeBytesMax, tooLarge, sizes) => {
    const { script, received } = counted()
    const server = await start(script, { envelopeBytesMax, tooLarge })
    const pool = await openPool(server)

    expect(await pool.invoke(command, options)).toMatchObject({ failed: false })
    expect(await pool.invoke(command, options)).toMatchObject({ failed: false })

    expect(received).toHaveLength(2)
    expect(sizesOf(server, 'Command')).toEqual(sizes)
    expect(pool.stats()).toMatchObject({ shellsLost: 0, shellsOpened: 1 })
  })

  test.each(['fault', 413] as const)('makes a large command run once, cut anew (%s)', async (tooLarge) => {
    const { script, received } = counted()
    const server = await start(script, { envelopeBytesMax: 153_600, tooLarge })
    const pool = await openPool(server)
    const large = 'x'.repeat(250_000)

    expect(await pool.invoke({ name: 'Set-CASMailbox', parameters: { Identity: large } }, options)).toMatchObject({
      failed: false,
    })

    expect(received.map((text) => text.length)).toEqual([250_000])
    expect(server.requests.filter(({ action }) => action === 'Send').length).toBeGreaterThan(0)
    expect(pool.stats()).toMatchObject({ shellsLost: 0 })
  })

  test('that no server can want is refused for good', async () => {
    const server = await start(completeAtOnce, { envelopeBytesMax: 1_000 })

    await expect(openPool(server)).rejects.toMatchObject({ name: 'PermanentError', code: 'wsman-envelope-refused' })
    expect(server.shells.size).toBe(0)
  })
})

function sizesOf(server: ScriptedServer, action: string): number[] {
  return server.requests
    .filter((request) => request.action === action)
    .map(({ body }) => Number(/MaxEnvelopeSize[^>]*>(\d+)</.exec(body)?.[1]))
}
