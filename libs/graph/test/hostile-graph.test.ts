import type { IncomingMessage, ServerResponse } from 'node:http'
import { afterEach, expect, it } from 'vitest'
import { createGraph, type Graph } from '../src/index.ts'
import { answerJson, type Scripted, startScriptedGraph } from './scripted-graph.ts'

const signal = new AbortController().signal
const log = { debug() {}, info() {}, warn() {}, error() {} }
const cleanups: (() => PromiseLike<unknown>)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

async function start(
  script: (request: IncomingMessage, response: ServerResponse, o: { url: string; count: number }) => void,
): Promise<{ server: Scripted; graph: Graph }> {
  const server = await startScriptedGraph(script)
  cleanups.push(() => server.stop())
  const graph = createGraph({
    tenantId: 't',
    clientId: 'c',
    clientSecret: 's',
    authority: server.url,
    endpoint: server.url,
    log,
  })
  cleanups.push(() => graph[Symbol.asyncDispose]())
  return { server, graph }
}

it('does not follow a link to another host, and sends it no token', async () => {
  const other = await startScriptedGraph((_, response) => answerJson(response, { value: [] }))
  cleanups.push(() => other.stop())
  const { graph } = await start((_, response) =>
    answerJson(response, { value: [], '@odata.nextLink': `${other.url}/v1.0/deviceManagement/managedDevices` }),
  )

  await expect(graph.readManagedDevices('w', signal)).rejects.toMatchObject({ code: 'graph-foreign-link' })
  expect(other.requests).toEqual([])
})

it('does not follow a redirect', async () => {
  const { server, graph } = await start((_, response) => response.writeHead(302, { location: '/elsewhere' }).end())

  await expect(graph.readManagedDevices('w', signal)).rejects.toMatchObject({ code: 'graph-unavailable' })
  expect(server.requests).toHaveLength(1)
})

it('ends when the pages never do', async () => {
  const { server, graph } = await start((_, response, { url, count }) =>
    answerJson(response, { value: [], '@odata.nextLink': `${url}/v1.0/x?page=${count}` }),
  )

  await expect(graph.readManagedDevices('w', signal)).rejects.toMatchObject({ code: 'graph-paging-endless' })
  expect(server.requests).toHaveLength(1_000)
})

it('ends when a page leads to itself', async () => {
  const { server, graph } = await start((_, response, { url }) =>
    answerJson(response, { value: [], '@odata.nextLink': `${url}/v1.0/x` }),
  )

  await expect(graph.readGroupMembers('w', 'g', signal)).rejects.toMatchObject({ code: 'graph-paging-endless' })
  expect(server.requests).toHaveLength(2)
})

it('does not take the page of a proxy for an empty list', async () => {
  const { graph } = await start((_, response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<html>'))

  await expect(graph.readManagedDevices('w', signal)).rejects.toMatchObject({ code: 'graph-answer-unreadable' })
})

it('does not take half an answer for an answer', async () => {
  const { graph } = await start((_, response) => {
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': '1000' })
    response.write('{"value":[')
    setImmediate(() => response.destroy())
  })

  await expect(graph.readManagedDevices('w', signal)).rejects.toMatchObject({ code: 'graph-unavailable' })
})

it('stops waiting for an answer when it is told to', async () => {
  const stop = new AbortController()
  const { graph } = await start(() => stop.abort(new Error('stopped')))

  await expect(graph.readManagedDevices('w', stop.signal)).rejects.toThrow('stopped')
})

it('counts rows that are none and keeps the others', async () => {
  const { graph } = await start((_, response) => answerJson(response, { value: [{ id: 'd1' }, null, { id: 7 }, 'x'] }))

  expect(await graph.readManagedDevices('w', signal)).toMatchObject({ devices: [{ id: 'd1' }], rejected: 3 })
})

it('goes on from the throttled page, by the link as it was written, and not before its time', async () => {
  const link = "/v1.0/deviceManagement/managedDevices?$skiptoken=%C2%BB%c3+z=='("
  const { server, graph } = await start((_, response, { url, count }) => {
    if (count === 1) return answerJson(response, { value: [{ id: 'd1' }], '@odata.nextLink': url + link })
    if (count === 2) return answerJson(response, {}, 429, { 'retry-after': '0.3' })
    answerJson(response, { value: [{ id: 'd2' }] })
  })

  await expect(graph.readManagedDevices('w', signal)).rejects.toMatchObject({ code: 'graph-throttled', retryAfterMs: 300 })
  await expect(graph.readManagedDevices('w', signal)).rejects.toMatchObject({ code: 'graph-throttled' })
  expect(server.requests).toHaveLength(2)
  await expect
    .poll(() => graph.readManagedDevices('w', signal).catch(() => undefined))
    .toMatchObject({
      devices: [{ id: 'd1' }, { id: 'd2' }],
    })
  expect(server.requests.slice(1)).toEqual([`GET ${link}`, `GET ${link}`])
})

it('begins anew when the link to the next page has grown too old', async () => {
  const { server, graph } = await start((_, response, { url, count }) => {
    if (count === 1) return answerJson(response, { value: [], '@odata.nextLink': `${url}/v1.0/next` })
    if (count === 2) return answerJson(response, { error: { code: 'Directory_ExpiredPageToken' } }, 400)
    answerJson(response, { value: [] })
  })

  await expect(graph.readManagedDevices('w', signal)).rejects.toMatchObject({ code: 'graph-page-expired' })
  await graph.readManagedDevices('w', signal)
  expect(server.requests[2]).toBe(server.requests[0])
})

it('asks once more with a fresh token after a 401, and no further', async () => {
  const seen: (string | undefined)[] = []
  const { server, graph } = await start((request, response, { count }) => {
    seen.push(request.headers.authorization)
    if (count === 2) return answerJson(response, { value: [] })
    answerJson(response, { error: { code: 'InvalidAuthenticationToken' } }, 401)
  })

  await graph.readManagedDevices('w', signal)
  expect(seen).toEqual(['Bearer token-1', 'Bearer token-2'])
  await expect(graph.readManagedDevices('v', signal)).rejects.toMatchObject({ code: 'graph-unauthorized' })
  expect(server.tokens()).toBe(3)
})

it('is not fooled by a filter that is ignored, and reads such an answer once', async () => {
  const [a, b] = ['aaaaaaaa-0000-0000-0000-000000000001', 'aaaaaaaa-0000-0000-0000-000000000002']
  const rows = [
    { id: 'd1', userId: 'u1', azureADDeviceId: a },
    { id: 'd3', userId: 'u3', azureADDeviceId: 'aaaaaaaa-0000-0000-0000-000000000003' },
  ]
  const { server, graph } = await start((request, response, { url }) => {
    if (request.method === 'GET') return answerJson(response, { value: [{ id: 'd2', userId: 'u2', azureADDeviceId: b }] })
    const body = { value: rows, '@odata.nextLink': `${url}/v1.0/rest` }
    answerJson(response, { responses: ['1', '0'].map((id) => ({ id, status: 200, body })) })
  })

  expect(await graph.readUsersOfDevices([a, b, 'not an id'], signal)).toEqual(['u1', 'u2'])
  expect(server.requests).toEqual(['POST /v1.0/$batch', 'GET /v1.0/rest'])
})

it('does not take a batch with an answer missing for complete', async () => {
  const { graph } = await start((_, response) =>
    answerJson(response, { responses: [{ id: '0', status: 200, body: { value: [] } }] }),
  )

  await expect(graph.readManagedDevicesOfUsers(['u1', 'u2'], signal)).rejects.toMatchObject({ code: 'graph-unavailable' })
})

it('does not believe a user’s answer with a row that cannot be read', async () => {
  const { graph } = await start((_, response) => {
    const bodies = [{ value: [{ id: 'd1' }] }, { value: [{ id: 7 }] }]
    answerJson(response, { responses: bodies.map((body, id) => ({ id: String(id), status: 200, body })) })
  })

  expect(await graph.readManagedDevicesOfUsers(['u1', 'u2'], signal)).toMatchObject({
    devices: [{ id: 'd1' }],
    complete: ['u1'],
  })
})
