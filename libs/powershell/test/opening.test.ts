import { afterEach, describe, expect, test } from 'vitest'
import { eventually } from '../../../test/environment/eventually.ts'
import { createRemotingEngine } from '../src/index.ts'
import { cleanUp, closeAll, completeAtOnce, openPool, options, signal, start, stopped, transportOf } from './open-pool.ts'

afterEach(closeAll)

describe('opening', () => {
  test('with a wrong password fails at once and for good', async () => {
    const server = await start(completeAtOnce)
    const engine = createRemotingEngine({ transport: { ...transportOf(server.url), password: 'wrong' }, shellsMax: 2 })
    cleanUp.push(engine)

    await expect(engine.open({ runspaces: 2, signal })).rejects.toMatchObject({
      name: 'PermanentError',
      code: 'wsman-unauthorized',
    })
    expect(server.requests).toHaveLength(1)
  })

  test('a server that is not there fails as worth another try', async () => {
    const server = await start(completeAtOnce)
    const { url } = server
    await cleanUp.pop()?.[Symbol.asyncDispose]()
    const engine = createRemotingEngine({ transport: transportOf(url), shellsMax: 2 })
    cleanUp.push(engine)

    await expect(engine.open({ runspaces: 2, signal })).rejects.toMatchObject({
      name: 'RetryableError',
      code: 'wsman-connect-failed',
      detail: { mayHaveRun: false },
    })
  })

  test('fails when a preparing command does, and leaves no shell behind', async () => {
    const server = await start(({ pipelineId, pool }) =>
      pool.state(pipelineId, 'failed', { ...stopped, message: 'not permitted' }),
    )

    await expect(
      openPool(server, { onOpenRunspace: [{ name: 'Set-ADServerSettings', parameters: {} }] }),
    ).rejects.toMatchObject({ code: 'runspace-preparation-failed' })
    expect(server.shells.size).toBe(0)
  })

  test('can be aborted while the server does not answer', async () => {
    const server = await start(completeAtOnce)
    server.intercept = () => true
    const controller = new AbortController()
    const engine = createRemotingEngine({ transport: transportOf(server.url), shellsMax: 2, limits: { closeMs: 50 } })
    cleanUp.push(engine)

    const opening = engine.open({ runspaces: 1, signal: controller.signal })
    await eventually(() => expect(server.requests).toHaveLength(1))
    controller.abort(new Error('enough'))

    await expect(opening).rejects.toThrow('enough')
  })

  test.each([
    ['http://ex1.contoso.com/PowerShell/', 'wsman-url-refused'],
    ['http://127.evil.com/PowerShell/', 'wsman-url-refused'],
    ['ftp://localhost/', 'wsman-url-refused'],
    ['https://user:pass@ex1/', 'wsman-url-refused'],
    ['nonsense', 'wsman-url-refused'],
  ])('is refused for the URL %s', (url, code) => {
    expect(() => createRemotingEngine({ transport: transportOf(url), shellsMax: 2 })).toThrow(expect.objectContaining({ code }))
  })

  test('nothing is sent for a command that is refused', async () => {
    const server = await start(completeAtOnce)
    const pool = await openPool(server)
    const before = server.requests.length

    await expect(pool.invoke({ name: 'Get-MobileDevice', parameters: { Identity: '' } }, options)).rejects.toMatchObject({
      code: 'empty-identity',
    })
    await expect(pool.invoke({ name: 'Get-X; calc', parameters: {} }, options)).rejects.toMatchObject({
      code: 'command-name-refused',
    })
    expect(server.requests).toHaveLength(before)
  })
})
