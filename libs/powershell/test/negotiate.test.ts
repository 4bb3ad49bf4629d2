import type { IncomingMessage } from 'node:http'
import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import { createCertificate, hasOpenssl, type TestCertificate } from '../../../test/environment/create-certificate.ts'
import { type CreateSecurityContext, createRemotingEngine, type RemotingEngineOptions } from '../src/index.ts'
import { cleanUp, closeAll, command, completeAtOnce, options, signal, start, transportOf } from './open-pool.ts'
import type { Authentication, ScriptedServer } from './scripted-wsman-server.ts'

afterEach(closeAll)

/** A mechanism of `legs` tokens from the client, whose last answer must be the server's proof. */
function fakeMechanism(legs = 1) {
  const targets: Parameters<CreateSecurityContext>[0][] = []
  const create: CreateSecurityContext = async (target) => {
    targets.push(target)
    let step = 0
    let isComplete = false
    return {
      get isComplete() {
        return isComplete
      },
      step: async (fromServer) => {
        step++
        if (step <= legs) return base64(`client-${step}`)
        if (fromServer !== base64('proof')) throw new Error('The proof is wrong')
        isComplete = true
        return undefined
      },
    }
  }
  return { targets, create }
}

/** Remembers for each socket how far it is, as IIS does. */
function socketServer(o: { scheme?: string; legs?: number; proof?: string; eachRequest?: boolean } = {}) {
  const { scheme = 'Negotiate', legs = 1, proof = base64('proof'), eachRequest = false } = o
  const steps = new Map<number, number>()
  return (request: IncomingMessage, connection: number): Authentication => {
    const step = steps.get(connection) ?? 0
    const header = request.headers.authorization
    if (header === undefined) return step > legs && !eachRequest ? { refuse: false } : { refuse: true, challenge: [scheme] }
    const match = /^(\S+) (\S*)$/.exec(header)
    const at = step > legs ? 1 : step + 1
    if (match?.[1] !== scheme || match[2] !== base64(`client-${at}`)) return { refuse: true, challenge: [scheme] }
    if (at < legs) {
      steps.set(connection, at)
      return { refuse: true, challenge: [`${scheme} ${base64(`server-${at}`)}`] }
    }
    steps.set(connection, legs + 1)
    return { refuse: false, challenge: proof === '' ? [] : [`${scheme} ${proof}`] }
  }
}

describe.skipIf(!hasOpenssl)('negotiate', () => {
  let tls: TestCertificate

  beforeAll(() => {
    tls = createCertificate()
  })

  const open = async (server: ScriptedServer, o: Partial<RemotingEngineOptions> & { shells?: number } = {}) => {
    const { shells = 1, ...rest } = o
    const { url, idleTimeoutMs, operationTimeoutMs } = transportOf(server.url)
    const engine = createRemotingEngine({
      transport: { kind: 'wsman', url, authentication: 'negotiate', ca: tls.cert, idleTimeoutMs, operationTimeoutMs },
      shellsMax: shells,
      ...rest,
    })
    cleanUp.push(engine)
    return await engine.open({ runspaces: shells, signal })
  }

  test('authenticates every socket once, for the HTTP service of the host', async () => {
    const server = await start(completeAtOnce, { tls, authenticate: socketServer() })
    const mechanism = fakeMechanism()
    const pool = await open(server, { createSecurityContext: mechanism.create, shells: 3 })

    await Promise.all(Array.from({ length: 30 }, () => pool.invoke(command, options)))

    const withToken = server.requests.filter(({ headers }) => headers.authorization !== undefined)
    expect(withToken.length).toBe(new Set(server.requests.map(({ connection }) => connection)).size)
    expect(mechanism.targets).toHaveLength(withToken.length)
    expect(mechanism.targets[0]).toEqual({ host: '127.0.0.1', mechanism: 'negotiate', user: undefined, password: undefined })
  })

  test('authenticates anew after a socket was lost', async () => {
    const server = await start(completeAtOnce, { tls, authenticate: socketServer() })
    const pool = await open(server, { createSecurityContext: fakeMechanism().create })
    await pool.invoke(command, options)
    server.cut()

    expect(await pool.invoke(command, options).catch(() => pool.invoke(command, options))).toMatchObject({ failed: false })
  })

  test('speaks bare Kerberos to a server that offers nothing else', async () => {
    const server = await start(completeAtOnce, { tls, authenticate: socketServer({ scheme: 'Kerberos' }) })
    const mechanism = fakeMechanism()
    const pool = await open(server, { createSecurityContext: mechanism.create })

    expect(await pool.invoke(command, options)).toMatchObject({ failed: false })
    expect(mechanism.targets.map((target) => target.mechanism).slice(0, 2)).toEqual(['negotiate', 'kerberos'])
    expect(mechanism.targets.filter((target) => target.mechanism === 'negotiate')).toHaveLength(1)
  })

  test('goes on for as many tokens as the mechanism has, on the same socket', async () => {
    const server = await start(completeAtOnce, { tls, authenticate: socketServer({ legs: 3 }) })
    const pool = await open(server, { createSecurityContext: fakeMechanism(3).create })

    expect(await pool.invoke(command, options)).toMatchObject({ failed: false })
    expect(new Set(server.requests.slice(0, 3).map(({ connection }) => connection)).size).toBe(1)
  })

  test('authenticates every request for a server that forgets', async () => {
    const server = await start(completeAtOnce, { tls, authenticate: socketServer({ eachRequest: true }) })
    const pool = await open(server, { createSecurityContext: fakeMechanism().create })

    for (let i = 0; i < 5; i++) expect(await pool.invoke(command, options)).toMatchObject({ failed: false })

    expect(server.requests.filter(({ headers }) => headers.authorization === undefined)).toHaveLength(1)
  })

  test.each([
    ['brings no proof of itself', ''],
    ['brings a wrong one', base64('forged')],
  ])('refuses a server whose consent %s, for good', async (_what, proof) => {
    const server = await start(completeAtOnce, { tls, authenticate: socketServer({ proof }) })

    await expect(
      open(server, { createSecurityContext: fakeMechanism().create, limits: { closeMs: 100 } }),
    ).rejects.toMatchObject({ name: 'PermanentError', code: 'wsman-mutual-authentication-failed' })
    expect(server.requests.filter(({ action }) => action === 'Create')).toHaveLength(1)
  })

  test('does not repeat credentials that were refused', async () => {
    const authenticate = () => ({ refuse: true, challenge: ['Negotiate'] })
    const server = await start(completeAtOnce, { tls, authenticate })

    await expect(open(server, { createSecurityContext: fakeMechanism().create })).rejects.toMatchObject({
      name: 'PermanentError',
      code: 'wsman-unauthorized',
    })
    expect(server.requests).toHaveLength(1)
  })

  test('ends with a server that asks for one token after another', async () => {
    const authenticate = () => ({ refuse: true, challenge: [`Negotiate ${base64('more')}`] })
    const server = await start(completeAtOnce, { tls, authenticate })

    await expect(open(server, { createSecurityContext: fakeMechanism(100).create })).rejects.toMatchObject({
      code: 'wsman-unauthorized',
    })
    expect(server.requests.length).toBeLessThanOrEqual(4)
  })

  test('does not wait longer than its limit for a KDC', async () => {
    const server = await start(completeAtOnce, { tls })
    const createSecurityContext: CreateSecurityContext = () => new Promise(() => {})

    await expect(open(server, { createSecurityContext, limits: { connectMs: 50 } })).rejects.toMatchObject({
      name: 'RetryableError',
      code: 'wsman-negotiate-failed',
      detail: { mayHaveRun: false },
    })
    expect(server.requests).toEqual([])
  })

  test('is refused for plain http, on loopback too', () => {
    expect(() =>
      createRemotingEngine({
        transport: { ...transportOf('http://127.0.0.1/PowerShell/'), authentication: 'negotiate' },
        shellsMax: 1,
      }),
    ).toThrow(expect.objectContaining({ code: 'wsman-settings-refused' }))
  })
})

function base64(text: string): string {
  return Buffer.from(text).toString('base64')
}
