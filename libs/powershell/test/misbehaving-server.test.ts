import type { ServerResponse } from 'node:http'
import { PermanentError, RetryableError } from '@gatehouse/messages'
import { afterEach, describe, expect, test } from 'vitest'
import type { RunspacePool } from '../src/index.ts'
import { closeAll, command, completeAtOnce, openPool, options, start, stopped, transportOf, untilStopped } from './open-pool.ts'
import { messageIdOf } from './scripted-wsman-server.ts'

afterEach(closeAll)

const OTHER = '11111111-2222-3333-4444-555555555555'

describe('a server that misbehaves', () => {
  const withOneAnswer =
    (action: string, answer: (response: ServerResponse, body: string) => void) => async (): Promise<{ pool: RunspacePool }> => {
      const server = await start(completeAtOnce)
      const pool = await openPool(server)
      let once = true
      server.intercept = (seen, _request, response, body) => {
        if (seen !== action || !once) return false
        once = false
        answer(response, body)
        return true
      }
      return { pool }
    }
  const soap = (relatesTo: string, body: string) =>
    `<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing" xmlns:r="http://schemas.microsoft.com/wbem/wsman/1/windows/shell"><s:Header><a:RelatesTo>${relatesTo}</a:RelatesTo></s:Header><s:Body>${body}</s:Body></s:Envelope>`
  const stream = (bytes: Uint8Array) =>
    `<r:ReceiveResponse><r:Stream Name="stdout">${Buffer.from(bytes).toString('base64')}</r:Stream></r:ReceiveResponse>`
  const done =
    '<r:ReceiveResponse><r:CommandState State="http://schemas.microsoft.com/wbem/wsman/1/windows/shell/CommandState/Done"/></r:ReceiveResponse>'

  test.each<[string, string, (response: ServerResponse, body: string) => void, string]>([
    ['relates to another request', 'Receive', (response) => response.end(soap('uuid:ANOTHER', done)), 'wsman-malformed'],
    ['is HTML', 'Receive', (response) => response.end('<html>Sign in</html>'), 'wsman-malformed'],
    ['is empty', 'Command', (response) => response.end(), 'wsman-malformed'],
    ['is not UTF-8', 'Command', (response) => response.end(Buffer.from([0xff, 0xfe])), 'wsman-malformed'],
    ['is 503', 'Command', (response) => response.writeHead(503, { 'retry-after': '7' }).end('busy'), 'wsman-http-status'],
    [
      'is not base64',
      'Receive',
      (response, body) =>
        response.end(soap(messageIdOf(body), '<r:ReceiveResponse><r:Stream Name="stdout">%%%%</r:Stream></r:ReceiveResponse>')),
      'wsman-malformed',
    ],
    [
      'claims 4 GB',
      'Receive',
      (response, body) =>
        response.end(soap(messageIdOf(body), stream(Buffer.concat([Buffer.alloc(16), Buffer.from([3, 255, 255, 255, 255])])))),
      'psrp-malformed',
    ],
    [
      'brings the output of another command',
      'Receive',
      (response, body) => response.end(soap(messageIdOf(body), done.replace('State=', `CommandId="${OTHER}" State=`))),
      'wsman-malformed',
    ],
    [
      'names another command',
      'Command',
      (response, body) =>
        response.end(soap(messageIdOf(body), `<r:CommandResponse><r:CommandId>${OTHER}</r:CommandId></r:CommandResponse>`)),
      'wsman-malformed',
    ],
    [
      'is cut within its XML',
      'Receive',
      (response, body) => response.end(soap(messageIdOf(body), done).slice(0, -20)),
      'wsman-malformed',
    ],
    [
      'nests deeper than its limit',
      'Receive',
      (response, body) => response.end(soap(messageIdOf(body), '<a>'.repeat(5_000))),
      'wsman-malformed',
    ],
    ['ends within a fragment', 'Receive', (response, body) => response.end(soap(messageIdOf(body), done)), 'psrp-cut-short'],
    [
      'is cut off',
      'Receive',
      (response) => {
        response.writeHead(200, { 'content-length': 1000 })
        response.write('<s:Env')
        setImmediate(() => response.socket?.destroy())
      },
      'wsman-connection-lost',
    ],
  ])('with an answer that %s costs a shell and an attempt, no more', async (_what, action, answer, code) => {
    const { pool } = await withOneAnswer(action, answer)()

    const error = await pool.invoke(command, options).catch((reason: unknown) => reason)

    expect(error).toBeInstanceOf(RetryableError)
    expect(error).toMatchObject({ code, detail: { mayHaveRun: true, shellLost: true } })
    expect(await pool.invoke(command, options)).toMatchObject({ failed: false })
    expect(pool.stats()).toMatchObject({ shellsLost: 1, shellsOpened: 2 })
  })

  test.each<[string, (response: ServerResponse) => void, string]>([
    ['compresses', (response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end('x'), 'wsman-compressed'],
    ['redirects', (response) => response.writeHead(302, { location: 'https://ex2/PowerShell/' }).end(), 'wsman-redirected'],
    ['refuses access', (response) => response.writeHead(403).end(), 'wsman-access-denied'],
    [
      'answers without end',
      (response) => {
        for (let i = 0; i < 20; i++) response.write(Buffer.alloc(10_000, 32))
      },
      'wsman-response-too-large',
    ],
  ])('in a way that lasts (it %s) is a permanent error', async (_what, answer, code) => {
    const server = await start(completeAtOnce)
    server.intercept = (_action, _request, response) => {
      answer(response)
      return true
    }

    const error = await openPool(server, { limits: { responseBytesMax: 100_000, closeMs: 100 } }).catch(
      (reason: unknown) => reason,
    )

    expect(error).toBeInstanceOf(PermanentError)
    expect(error).toMatchObject({ code })
  })

  test.each<[string, (response: ServerResponse) => void, string]>([
    ['answers nothing', () => {}, 'The server did not answer in time'],
    [
      'sends a head and no body',
      (response) => response.writeHead(200).flushHeaders(),
      "The server's answer did not end in time",
    ],
    [
      'sends its body drop by drop',
      (response) => {
        const drip = () => {
          if (!response.destroyed) response.write(' ', () => setImmediate(drip))
        }
        drip()
      },
      "The server's answer did not end in time",
    ],
  ])('in that it %s is given up within its limit', async (_what, answer, message) => {
    const server = await start(completeAtOnce)
    const pool = await openPool(server, {
      transport: { ...transportOf(server.url), operationTimeoutMs: 500 },
      limits: { answerMs: 100, bodyMs: 200 },
    })
    let once = true
    server.intercept = (action, _request, response) => {
      if (action !== 'Command' || !once) return false
      once = false
      answer(response)
      return true
    }

    await expect(pool.invoke(command, options)).rejects.toMatchObject({
      name: 'RetryableError',
      code: 'wsman-http-timeout',
      message,
      detail: { mayHaveRun: true, shellLost: true },
    })
    expect(await pool.invoke(command, options)).toMatchObject({ failed: false })
  })

  test.each([
    ['names no shell', ''],
    ['names a shell that is none', '<r:Shell><r:ShellId>a b</r:ShellId></r:Shell>'],
    ['names two shells', '<r:Shell><r:ShellId>A</r:ShellId></r:Shell><r:Shell><r:ShellId>B</r:ShellId></r:Shell>'],
    ['names a very long one', `<r:Shell><r:ShellId>${'A'.repeat(300)}</r:ShellId></r:Shell>`],
  ])('and %s when asked for one gets no command', async (_what, body) => {
    const server = await start(completeAtOnce)
    server.intercept = (action, _request, response, request) => {
      if (action === 'Create') response.end(soap(messageIdOf(request), body))
      return action === 'Create'
    }

    await expect(openPool(server)).rejects.toMatchObject({ code: 'wsman-malformed' })
    expect(server.requests.filter(({ action }) => action === 'Command')).toEqual([])
  })

  test('and speaks for a shell that we did not name is found out by the next request', async () => {
    const server = await start(completeAtOnce)
    server.intercept = (action, _request, response, request) => {
      if (action === 'Create') response.end(soap(messageIdOf(request), `<r:Shell><r:ShellId>${OTHER}</r:ShellId></r:Shell>`))
      return action === 'Create'
    }

    await expect(openPool(server)).rejects.toMatchObject({ name: 'RetryableError', code: 'wsman-shell-not-found' })
  })

  test('and asks for an answer fails the cmdlet instead of waiting', async () => {
    const { cutIntoFragments } = await import('../src/protocol/index.ts')
    const { writeMessage, MESSAGE_TYPES } = await import('../src/protocol/message.ts')
    const server = await start(async ({ pipelineId, pool, stop }) => {
      await untilStopped(stop)
      pool.state(pipelineId, 'stopped', stopped)
    })
    const pool = await openPool(server)
    let once = true
    server.intercept = (action, _request, response, body) => {
      if (action !== 'Receive' || !once) return false
      once = false
      const pipelineId = /DesiredStream CommandId="([^"]+)"/.exec(body)?.[1] ?? ''
      const xml =
        '<Obj RefId="0"><MS><I64 N="ci">1</I64><Obj N="mi" RefId="1"><ToString>ReadLine</ToString><I32>11</I32></Obj></MS></Obj>'
      const message = writeMessage('client', {
        type: MESSAGE_TYPES.pipelineHostCall,
        runspacePoolId: '00000000-0000-0000-0000-000000000000',
        pipelineId: pipelineId.toLowerCase(),
        xml,
      })
      response.end(soap(messageIdOf(body), stream(Buffer.concat(cutIntoFragments(500, message, 10_000)))))
      return true
    }

    await expect(pool.invoke(command, options)).rejects.toMatchObject({ name: 'PermanentError', code: 'cmdlet-prompted' })
    expect(pool.stats().shellsLost).toBe(0)
  })
})
