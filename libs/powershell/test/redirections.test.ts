import { afterEach, describe, expect, test } from 'vitest'
import { createRemotingEngine, type Lease } from '../src/index.ts'
import { cleanUp, closeAll, command, completeAtOnce, options, signal, start, transportOf } from './open-pool.ts'
import { type ScriptedServer, sendFault } from './scripted-wsman-server.ts'

afterEach(closeAll)

const REDIRECT = 2150859161

function redirect(server: ScriptedServer, to: () => string): void {
  server.intercept = (action, _request, response, body) => {
    if (action !== 'Create') return false
    response.setHeader('set-cookie', 'MS-WSMAN=of-the-first; path=/')
    sendFault(response, body, REDIRECT, `The request needs to be sent to a different machine: ${to()} .`)
    return true
  }
}

describe('a redirection', () => {
  test('is followed to the server that it names, which gets the whole shell and none of the cookies', async () => {
    const [first, second] = [await start(completeAtOnce), await start(completeAtOnce)]
    redirect(first, () => second.url)
    const attached: string[] = []
    const lease: Lease = {
      id: 'l1',
      validMs: 60_000,
      renew: async () => {},
      attach: async ({ url }) => void attached.push(url),
      release: async () => {},
      abandon: async () => {},
    }
    const said: object[] = []
    const log = { debug: () => {}, info: (fields: object) => void said.push(fields), warn: () => {}, error: () => {} }
    const engine = createRemotingEngine({
      transport: transportOf(first.url),
      shellsMax: 1,
      log,
      leases: { acquire: async () => lease },
    })
    const pool = await engine.open({ runspaces: 1, signal })

    expect(await pool.invoke(command, options)).toMatchObject({ failed: false })
    await engine[Symbol.asyncDispose]()

    expect(first.requests.map(({ action }) => action)).toEqual(['Create'])
    expect(second.requests[0]?.headers.cookie).toBeUndefined()
    expect(second.requests[0]?.body).toContain(`<wsa:To>${second.url}`)
    expect(second.shells.size).toBe(0)
    expect(attached).toEqual([`${second.url}?PSVersion=5.1.17763.1`])
    expect(said).toContainEqual(expect.objectContaining({ hop: 1, fromUrl: expect.stringContaining(first.url) }))
  })

  test('in a circle is refused for good, naming where it went', async () => {
    const [first, second] = [await start(completeAtOnce), await start(completeAtOnce)]
    redirect(first, () => second.url)
    redirect(second, () => first.url)
    const engine = createRemotingEngine({ transport: transportOf(first.url), shellsMax: 1 })
    cleanUp.push(engine)

    const error = await engine.open({ runspaces: 1, signal }).catch((reason: unknown) => reason)

    expect(error).toMatchObject({ name: 'PermanentError', code: 'wsman-redirected' })
    expect(error).toMatchObject({ message: expect.stringContaining(`${first.url}?PSVersion=5.1.17763.1 → ${second.url}`) })
    expect(first.requests).toHaveLength(1)
  })

  test('without end is followed five times', async () => {
    const server = await start(completeAtOnce)
    let hops = 0
    redirect(server, () => `${server.url}${++hops}/`)
    const engine = createRemotingEngine({ transport: transportOf(server.url), shellsMax: 1 })
    cleanUp.push(engine)

    await expect(engine.open({ runspaces: 1, signal })).rejects.toMatchObject({ code: 'wsman-redirected', detail: { hops: 6 } })
    expect(server.requests.filter(({ action }) => action === 'Create')).toHaveLength(6)
  })

  test('to an address that is not safe is refused without asking there', async () => {
    const server = await start(completeAtOnce)
    redirect(server, () => 'http://ex2.contoso.com/PowerShell/')
    const engine = createRemotingEngine({ transport: transportOf(server.url), shellsMax: 1 })
    cleanUp.push(engine)

    await expect(engine.open({ runspaces: 1, signal })).rejects.toMatchObject({
      name: 'PermanentError',
      code: 'wsman-redirected',
      detail: { mayHaveRun: false },
    })
  })
})
