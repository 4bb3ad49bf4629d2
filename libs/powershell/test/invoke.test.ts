import { afterEach, describe, expect, test } from 'vitest'
import { eventually } from '../../../test/environment/eventually.ts'
import type { PsObject } from '../src/index.ts'
import { ServerObject } from '../src/protocol/index.ts'
import { cleanUp, closeAll, command, completeAtOnce, openPool, options, start, untilStopped } from './open-pool.ts'

afterEach(closeAll)

describe('a pool over WSMan', () => {
  test('carries parameters, output, errors and warnings', async () => {
    let received: unknown
    const server = await start(({ command, pipelineId, pool }) => {
      received = command
      pool.output(pipelineId, new ServerObject({ typeNames: ['A'], text: 'a', properties: { n: 1 } }))
      pool.output(pipelineId, 'text')
      pool.warning(pipelineId, 'careful')
      pool.error(pipelineId, {
        message: 'no',
        fullyQualifiedErrorId: 'X,Y',
        category: 'ObjectNotFound',
        exceptionType: 'System.Exception',
      })
      pool.state(pipelineId, 'completed')
    })
    const pool = await openPool(server)

    const result = await pool.invoke({ name: 'Get-X', parameters: { Identity: '$(calc)"\'_x0041_😀' } }, options)

    expect(received).toEqual({
      name: 'Get-X',
      isScript: false,
      parameters: [{ name: 'Identity', value: '$(calc)"\'_x0041_😀' }],
    })
    expect(result).toMatchObject({
      output: [{ text: 'a', properties: { n: 1 } }, { value: 'text' }],
      warnings: ['careful'],
      errors: [{ message: 'no', fullyQualifiedErrorId: 'X,Y', category: 'ObjectNotFound' }],
      failed: false,
    })
  })

  test('says that a cmdlet failed, with its terminating error last', async () => {
    const record = {
      message: 'broken',
      fullyQualifiedErrorId: 'F',
      category: 'InvalidOperation',
      exceptionType: 'System.InvalidOperationException',
    }
    const server = await start(({ pipelineId, pool }) => pool.state(pipelineId, 'failed', record))
    const pool = await openPool(server)

    expect(await pool.invoke(command, options)).toMatchObject({ failed: true, errors: [record], output: [] })
  })

  test('sends a command that is larger than an envelope in pieces and reads a result of many answers', async () => {
    const long = 'é<&'.repeat(300_000)
    const server = await start(({ command, pipelineId, pool }) => {
      pool.output(pipelineId, String(command.parameters[0]?.value).length)
      pool.outputObjects(
        pipelineId,
        Array.from(
          { length: 3_000 },
          (_, n) => new ServerObject({ typeNames: ['A'], properties: { n, filler: 'x'.repeat(500) } }),
        ),
      )
      pool.state(pipelineId, 'completed')
    })
    const pool = await openPool(server)

    const { output } = await pool.invoke({ name: 'Set-X', parameters: { Value: long } }, options)

    expect(output).toHaveLength(3_001)
    expect(output[0]?.value).toBe(long.length)
    expect(output.at(-1)?.properties['n']).toBe(2_999)
    expect(server.requests.filter(({ action }) => action === 'Send').length).toBeGreaterThan(2)
  })

  test('hands objects over as they come, and stops when that fails', async () => {
    const server = await start(async ({ pipelineId, pool, stop, command }) => {
      pool.outputObjects(pipelineId, ['a', 'b'])
      if (command.name === 'Get-Y') await untilStopped(stop)
      pool.state(pipelineId, command.name === 'Get-Y' ? 'stopped' : 'completed')
    })
    const pool = await openPool(server)
    const seen: PsObject[] = []

    const result = await pool.invoke({ name: 'Get-X', parameters: {} }, { ...options, onOutput: (object) => seen.push(object) })
    const refused = pool.invoke(
      { name: 'Get-Y', parameters: {} },
      {
        ...options,
        onOutput: () => {
          throw new Error('full')
        },
      },
    )

    expect(seen.map((object) => object.value)).toEqual(['a', 'b'])
    expect(result.output).toEqual([])
    await expect(refused).rejects.toMatchObject({ code: 'output-refused' })
    expect(pool.stats().shellsLost).toBe(0)
  })

  test('speaks WSMan as Exchange wants it', async () => {
    const server = await start(completeAtOnce)
    const pool = await openPool(server)
    await pool.invoke(command, options)
    await cleanUp.pop()?.[Symbol.asyncDispose]()

    const [create, ...rest] = server.requests
    expect(server.requests.map(({ action }) => action)).toEqual(['Create', 'Receive', 'Command', 'Receive', 'Signal', 'Delete'])
    expect(create?.body).toContain('<wsman:Option Name="protocolversion" MustComply="true">2.3</wsman:Option>')
    expect(create?.body).toContain(`<wsa:To>${server.url}?PSVersion=5.1.17763.1</wsa:To>`)
    expect(create?.body).toContain('http://schemas.microsoft.com/powershell/Microsoft.Exchange</wsman:ResourceURI>')
    expect(create?.body).toContain('>153600</wsman:MaxEnvelopeSize>')
    expect(rest[1]?.body).toContain('>512000</wsman:MaxEnvelopeSize>')
    expect(create?.headers.cookie).toBeUndefined()
    for (const { headers } of rest) expect(headers.cookie).toMatch(/^MS-WSMAN=/)
    for (const { headers } of server.requests) expect(headers['accept-encoding']).toBe('identity')
    expect(server.shells.size).toBe(0)
  })

  test('runs as many cmdlets at once as it has runspaces, and prepares each', async () => {
    let running = 0
    let most = 0
    const release = Promise.withResolvers<void>()
    const server = await start(async ({ command, pipelineId, pool }) => {
      if (command.name === 'Set-X') {
        most = Math.max(most, ++running)
        if (most === 3) release.resolve()
        await release.promise
        running--
      }
      pool.state(pipelineId, 'completed')
    })
    const pool = await openPool(server, {
      runspaces: 3,
      onOpenRunspace: [{ name: 'Set-ADServerSettings', parameters: { ViewEntireForest: true } }],
    })

    await Promise.all(Array.from({ length: 20 }, () => pool.invoke({ name: 'Set-X', parameters: {} }, options)))

    expect(most).toBe(3)
    expect(server.mostShells).toBe(3)
    expect(pool.stats()).toMatchObject({ shells: 3, busy: 0, queued: 0, mostShells: 3, invoked: 20 })
    expect(
      server.requests.filter(
        ({ body, action }) =>
          action === 'Command' &&
          Buffer.from(/Arguments>([^<]+)/.exec(body)?.[1] ?? '', 'base64').includes('Set-ADServerSettings'),
      ),
    ).toHaveLength(3)
  })

  test('waits through operation timeouts', async () => {
    const server = await start(
      async ({ pipelineId, pool }) => {
        await eventually(() => expect(server.requests.filter(({ action }) => action === 'Receive').length).toBeGreaterThan(4))
        pool.state(pipelineId, 'completed')
      },
      { receiveHoldMs: 20 },
    )
    const pool = await openPool(server)

    expect(await pool.invoke(command, options)).toMatchObject({ failed: false })
  })
})
