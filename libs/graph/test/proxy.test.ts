import type { ProxyOptions } from '@gatehouse/http-proxy'
import { afterEach, beforeAll, describe, expect, it, test } from 'vitest'
import { createCertificate, hasOpenssl, type TestCertificate } from '../../../test/environment/create-certificate.ts'
import { type ScriptedProxy, startScriptedProxy } from '../../../test/environment/start-scripted-proxy.ts'
import { createGraph, type GraphOptions } from '../src/index.ts'
import { answerJson, type Scripted, startScriptedGraph } from './scripted-graph.ts'

const signal = new AbortController().signal
const log = { debug() {}, info() {}, warn() {}, error() {} }
const cleanUps: (() => PromiseLike<void>)[] = []
afterEach(async () => {
  for (const end of cleanUps.splice(0).reverse()) await end()
})

describe.skipIf(!hasOpenssl)('a proxy on the way to Microsoft', () => {
  let tls: TestCertificate
  beforeAll(() => {
    tls = createCertificate()
  })

  const startGraph = async (certificate?: TestCertificate) => {
    const server = await startScriptedGraph((_request, response) => answerJson(response, { value: [] }), certificate)
    cleanUps.push(() => server.stop())
    return server
  }
  const startProxy = async (answer?: Parameters<typeof startScriptedProxy>[0]) => {
    const proxy = await startScriptedProxy(answer)
    cleanUps.push(() => proxy[Symbol.asyncDispose]())
    return proxy
  }
  const connect = ({ url }: Pick<Scripted, 'url'>, proxy: ProxyOptions, o: Partial<GraphOptions> = {}) => {
    const account = { tenantId: 'contoso.com', clientId: 'c', clientSecret: 's' }
    const graph = createGraph({ ...account, authority: url, endpoint: url, log, proxy, ...o })
    cleanUps.push(() => graph[Symbol.asyncDispose]())
    return graph
  }

  it.each(['https', 'http'])('carries sign-in and Graph over %s, and alone hears of its user and password', async (scheme) => {
    const server = await startGraph(scheme === 'https' ? tls : undefined)
    const proxy = await startProxy()
    const graph = connect(server, { url: proxy.url, user: 'CONTOSO\\gate', password: 'p:w' }, { ca: tls.cert })

    await graph.readManagedDevices('walk', signal)

    expect(server.tokens()).toBe(1)
    expect(server.requests).toHaveLength(1)
    expect(new Set(proxy.tunnels.map(({ target }) => target))).toEqual(new Set([new URL(server.url).host]))
    expect(new Set(sentTo(proxy))).toEqual(new Set([basic('CONTOSO\\gate:p:w')]))
    expect(server.credentials).toEqual([])
  })

  it("does not spare Microsoft's certificate its check", async () => {
    const server = await startGraph(tls)
    const proxy = await startProxy()
    const graph = connect(server, { url: proxy.url }, { ca: createCertificate().cert })

    await expect(graph.readManagedDevices('walk', signal)).rejects.toMatchObject({
      name: 'PermanentError',
      code: 'graph-certificate-refused',
    })
    expect(server.tokens()).toBe(0)
  })

  it('is told a changed password without a restart', async () => {
    const server = await startGraph()
    const proxy = await startProxy(407)
    let password = 'old'
    const graph = connect(server, { url: proxy.url, user: 'gate', password: () => password })

    await expect(graph.readManagedDevices('walk', signal)).rejects.toMatchObject({ code: 'graph-proxy-refused' })
    password = 'new'
    await expect(graph.readManagedDevices('walk', signal)).rejects.toMatchObject({ code: 'graph-proxy-refused' })

    expect(new Set(sentTo(proxy))).toEqual(new Set([basic('gate:old'), basic('gate:new')]))
  })

  test.each([
    [407, 'PermanentError', 'graph-proxy-refused', 'correct graph.proxy'],
    [403, 'PermanentError', 'graph-proxy-refused', 'correct graph.proxy'],
    [502, 'RetryableError', 'graph-unavailable', 'could not reach'],
  ])('that answers %i is a %s', async (status, name, code, hint) => {
    const server = await startGraph()
    const proxy = await startProxy(status)
    const graph = connect(server, { url: proxy.url, user: 'gate', password: 'hidden' })

    const read = graph.readManagedDevices('walk', signal)

    await expect(read).rejects.toMatchObject({ name, code, message: expect.stringContaining(hint) })
    await expect(read).rejects.toMatchObject({ message: expect.not.stringContaining('hidden') })
    expect(server.tokens()).toBe(0)
  })

  it('that is not there, or says nothing within its limit, is worth another try', async () => {
    const server = await startGraph()
    const silent = await startProxy('silence')
    const gone = await startScriptedProxy()
    await gone[Symbol.asyncDispose]()
    const unavailable = { name: 'RetryableError', code: 'graph-unavailable', message: expect.stringContaining('the proxy') }

    const throughGone = connect(server, { url: gone.url }).readManagedDevices('walk', signal)
    const throughSilent = connect(server, { url: silent.url }, { connectMs: 100 }).readManagedDevices('walk', signal)

    await expect(throughGone).rejects.toMatchObject(unavailable)
    await expect(throughSilent).rejects.toMatchObject(unavailable)
    expect(server.tokens()).toBe(0)
  })

  it('with user and password in its URL is refused by name', () => {
    expect(() => connect({ url: 'http://127.0.0.1:1' }, { url: 'http://gate:hidden@proxy:3128' })).toThrow(
      expect.objectContaining({
        code: 'graph-proxy-invalid',
        message: "graph.proxy: the proxy's user and password do not belong into its URL",
      }),
    )
  })
})

function basic(text: string): string {
  return `Basic ${Buffer.from(text).toString('base64')}`
}

function sentTo(proxy: ScriptedProxy): (string | undefined)[] {
  return proxy.tunnels.map(({ credentials }) => credentials)
}
