import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createControlClient } from '../src/control-client.ts'

let directory: string

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'gatehouse-test-'))
  await writeFile(join(directory, 'token'), 'secret')
})

afterAll(() => rm(directory, { recursive: true, force: true }))

async function ask(answer: RequestListener, signal: AbortSignal): Promise<unknown> {
  await using stack = new AsyncDisposableStack()
  const server = createServer(answer).listen(0, '127.0.0.1')
  stack.defer(async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const client = stack.use(await createControlClient({ url, tokenFile: join(directory, 'token') }, signal))
  return await client.get('/api/syncRuns/1')
}

const problem = (status: number, detail: string): RequestListener => {
  return (_request, response) => response.writeHead(status).end(JSON.stringify({ title: 'The request failed', detail }))
}

describe('the client of control', () => {
  it('takes it as an absence when control cannot reach its database', async ({ signal }) => {
    await expect(ask(problem(503, 'The database cannot be reached'), signal)).rejects.toMatchObject({
      name: 'RetryableError',
      code: 'control-unavailable',
      message: 'The request failed: The database cannot be reached',
    })
  })

  it('takes it as an absence when control dies in the middle of its answer', async ({ signal }) => {
    const answering = ask((_request, response) => {
      response.writeHead(200, { 'content-length': '100' })
      response.write('{"id":', () => response.destroy())
    }, signal)

    await expect(answering).rejects.toMatchObject({ name: 'RetryableError', code: 'control-unreachable' })
  })

  it('takes a refusal as the last word', async ({ signal }) => {
    await expect(ask(problem(404, 'There is no such sync run'), signal)).rejects.toMatchObject({
      name: 'PermanentError',
      code: 'control-refused',
    })
  })
})
