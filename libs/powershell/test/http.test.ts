import { afterEach, describe, expect, test } from 'vitest'
import { eventually } from '../../../test/environment/eventually.ts'
import { createRemotingEngine, type HttpTraceEntry } from '../src/index.ts'
import { cleanUp, closeAll, command, completeAtOnce, openPool, options, signal, start, transportOf } from './open-pool.ts'
import { sendFault } from './scripted-wsman-server.ts'

afterEach(closeAll)

describe('the sockets of a shell', () => {
  test('carry no request of another shell, and its cookie on every one after the first', async () => {
    const server = await start(completeAtOnce)
    const pool = await openPool(server, { runspaces: 4 })
    pool.prepare()

    await Promise.all(Array.from({ length: 80 }, () => pool.invoke(command, options)))

    const shellsOf = new Map<number, Set<string | undefined>>()
    for (const { connection, shellId } of server.requests)
      shellsOf.set(connection, (shellsOf.get(connection) ?? new Set()).add(shellId))
    expect([...shellsOf.values()].every((shells) => shells.size === 1)).toBe(true)
    expect(new Set(server.requests.map(({ shellId }) => shellId)).size).toBe(4)
    const withoutCookie = server.requests.filter(({ headers }) => headers.cookie === undefined)
    expect(withoutCookie.map(({ action }) => action)).toEqual(['Create', 'Create', 'Create', 'Create'])
  })

  test('are replaced when the server closed them while they were idle, and the shell lives on', async () => {
    const server = await start(completeAtOnce)
    const pool = await openPool(server)
    await pool.invoke(command, options)
    const before = new Set(server.requests.map(({ connection }) => connection))
    await eventually(() => expect(server.requests.map(({ action }) => action)).toContain('Signal'))
    await server.endConnections()

    expect(await pool.invoke(command, options)).toMatchObject({ failed: false })

    const later = server.requests.filter(({ connection }) => !before.has(connection))
    expect(later.map(({ action }) => action)).toContain('Command')
    expect(pool.stats()).toMatchObject({ shellsLost: 0, shellsOpened: 1 })
  })
})

test('no request allows a compressed answer', async () => {
  const server = await start(completeAtOnce)
  const pool = await openPool(server)

  await pool.invoke(command, options)

  expect(new Set(server.requests.map(({ headers }) => headers['accept-encoding']))).toEqual(new Set(['identity']))
})

describe('what is traced of HTTP', () => {
  test('names every request and what became of it, and no secrets', async () => {
    const server = await start(completeAtOnce)
    const entries: HttpTraceEntry[] = []
    const traceHttp = (entry: HttpTraceEntry) => void entries.push(entry)
    const engine = createRemotingEngine({ transport: transportOf(server.url), shellsMax: 1, traceHttp })
    const pool = await engine.open({ runspaces: 1, signal })
    server.intercept = (action, _request, response, body) => {
      if (action !== 'Command') return false
      response.setHeader('request-id', '0a1b2c3d-1111')
      sendFault(response, body, 995, '[RequestId=other] The I/O operation has been aborted')
      return true
    }
    await pool.invoke(command, options).catch(() => {})
    await engine[Symbol.asyncDispose]()

    expect(entries.map(({ action }) => action)).toEqual(server.requests.map(({ action }) => action.toLowerCase()))
    expect(entries[0]).toMatchObject({
      action: 'create',
      status: 200,
      error: undefined,
      url: expect.stringContaining(server.url),
    })
    expect(entries.find(({ action }) => action === 'command')).toMatchObject({ status: 500, requestId: '0a1b2c3d-1111' })
    expect(JSON.stringify(entries)).not.toMatch(/Basic|MS-WSMAN|secret|c2VjcmV0/)
  })

  test('names the error when there was no answer', async () => {
    const server = await start(completeAtOnce)
    server.intercept = (_action, request) => {
      request.socket.destroy()
      return true
    }
    const entries: HttpTraceEntry[] = []
    const engine = createRemotingEngine({
      transport: transportOf(server.url),
      shellsMax: 1,
      traceHttp: (entry) => void entries.push(entry),
    })
    cleanUp.push(engine)

    await expect(engine.open({ runspaces: 1, signal })).rejects.toMatchObject({ code: 'wsman-connection-lost' })
    expect(entries[0]).toMatchObject({ action: 'create', status: undefined, error: 'wsman-connection-lost' })
  })
})
