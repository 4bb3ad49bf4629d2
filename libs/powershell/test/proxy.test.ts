import type { ProxyOptions } from '@gatehouse/http-proxy'
import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import { createCertificate, hasOpenssl, type TestCertificate } from '../../../test/environment/create-certificate.ts'
import { startScriptedProxy } from '../../../test/environment/start-scripted-proxy.ts'
import { createRemotingEngine, type RemotingEngineOptions } from '../src/index.ts'
import { cleanUp, closeAll, command, completeAtOnce, options, signal, start, transportOf } from './open-pool.ts'

afterEach(closeAll)

describe.skipIf(!hasOpenssl)('a proxy', () => {
  let tls: TestCertificate

  beforeAll(() => {
    tls = createCertificate()
  })

  const startProxy = async (answer?: Parameters<typeof startScriptedProxy>[0]) => {
    const proxy = await startScriptedProxy(answer)
    cleanUp.push(proxy)
    return proxy
  }
  const open = async (url: string, proxy: ProxyOptions, o: Partial<RemotingEngineOptions> & { ca?: string } = {}) => {
    const { ca = tls.cert, ...rest } = o
    const transport = { ...transportOf(url), ca, proxy }
    const engine = createRemotingEngine({ transport, shellsMax: 4, ...rest })
    cleanUp.push(engine)
    return await engine.open({ runspaces: 4, signal })
  }

  test('carries every socket of every shell, and is told user and password', async () => {
    const server = await start(completeAtOnce, { tls })
    const proxy = await startProxy()
    const pool = await open(server.url, { url: proxy.url, user: 'gate', password: 'p:w' })

    await Promise.all(Array.from({ length: 20 }, () => pool.invoke(command, options)))

    const { host } = new URL(server.url)
    const credentials = `Basic ${Buffer.from('gate:p:w').toString('base64')}`
    expect(new Set(proxy.tunnels.map(({ target }) => target))).toEqual(new Set([host]))
    expect(new Set(proxy.tunnels.map((tunnel) => tunnel.credentials))).toEqual(new Set([credentials]))
    expect(proxy.tunnels).toHaveLength(new Set(server.requests.map(({ connection }) => connection)).size)
    expect(server.requests.some(({ headers }) => 'proxy-authorization' in headers)).toBe(false)
  })

  test("does not spare the server's certificate its check", async () => {
    const server = await start(completeAtOnce, { tls })
    const proxy = await startProxy()

    await expect(open(server.url, { url: proxy.url }, { ca: createCertificate().cert })).rejects.toMatchObject({
      name: 'PermanentError',
      code: 'wsman-certificate-refused',
    })
    expect(server.requests).toEqual([])
  })

  test.each([
    [407, 'PermanentError', 'proxy-refused'],
    [403, 'PermanentError', 'proxy-refused'],
    [502, 'RetryableError', 'proxy-target-unreachable'],
  ])('that answers %i is a %s', async (status, name, code) => {
    const server = await start(completeAtOnce, { tls })
    const proxy = await startProxy(status)

    await expect(open(server.url, { url: proxy.url, user: 'gate', password: 'secret' })).rejects.toMatchObject({
      name,
      code,
      detail: { proxyStatus: status, mayHaveRun: false },
      message: expect.not.stringContaining('secret'),
    })
    expect(server.requests).toEqual([])
  })

  test('that is not there, or does not answer within its limit, is worth another try', async () => {
    const server = await start(completeAtOnce, { tls })
    const silent = await startProxy('silence')
    const gone = await startScriptedProxy()
    await gone[Symbol.asyncDispose]()
    const unreachable = { name: 'RetryableError', code: 'proxy-unreachable', detail: { mayHaveRun: false } }

    await expect(open(server.url, { url: gone.url })).rejects.toMatchObject(unreachable)
    await expect(open(server.url, { url: silent.url }, { limits: { connectMs: 100 } })).rejects.toMatchObject(unreachable)
    expect(server.requests).toEqual([])
  })

  test.each<[string, ProxyOptions]>([
    ['https://ex1/PowerShell/', { url: 'nonsense' }],
    ['https://ex1/PowerShell/', { url: 'socks5://proxy:1080' }],
    ['https://ex1/PowerShell/', { url: 'http://gate:secret@proxy:3128' }],
    ['https://ex1/PowerShell/', { url: 'http://proxy:3128', user: 'a:b' }],
    ['http://127.0.0.1/PowerShell/', { url: 'http://proxy:3128' }],
  ])('before %s is refused when it is %j', (url, proxy) => {
    expect(() => createRemotingEngine({ transport: { ...transportOf(url), proxy }, shellsMax: 1 })).toThrow(
      expect.objectContaining({ code: 'wsman-settings-refused' }),
    )
  })
})
