import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { PermanentError, RetryableError } from '@gatehouse/messages'
import { createPopulation, startExchangeSimulator } from '@gatehouse/simulators'
import { afterEach, describe, expect, it } from 'vitest'
import { createEwsSender, type Mail, type MailSender } from '../src/index.ts'

const log = { debug() {}, info() {}, warn() {}, error() {} }
const mailOf = (stamp: string, to = 'alex@contoso.com'): Mail => ({
  to,
  subject: 'Sujet <é> & “x”',
  html: '<p>Corps & é</p>',
  stamp,
})
const cleanups: (() => PromiseLike<unknown>)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

function senderOf(options: {
  url: string
  user?: string
  password?: string | (() => string)
  from?: string
  requestMs?: number
}): MailSender {
  const sender = createEwsSender({ user: 'u', password: 'p', log, ...options })
  cleanups.push(() => sender[Symbol.asyncDispose]())
  return sender
}

async function startSimulator(faults: object = {}) {
  const simulator = await startExchangeSimulator({
    population: createPopulation({ devices: 10, seed: 1 }),
    port: 0,
    latencyMs: 0,
    faults,
  })
  cleanups.push(() => simulator.stop())
  const sender = (more: { from?: string; password?: string | (() => string) } = {}) =>
    senderOf({ url: simulator.ewsUrl, user: simulator.notificationUser, password: simulator.notificationPassword, ...more })
  const mails = async () => {
    const answer = await fetch(`${simulator.simulatorUrl}/state`, { headers: { connection: 'close' } })
    return ((await answer.json()) as { mails: { to: string[]; stamp: string; subject: string }[] }).mails
  }
  return { simulator, sender, mails }
}

/** A server that answers each request by the next handler. */
async function startScripted(handlers: ((request: IncomingMessage, response: ServerResponse, body: string) => void)[]) {
  const requests: { headers: IncomingMessage['headers']; body: string }[] = []
  const server: Server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const body = Buffer.concat(chunks).toString('utf8')
      requests.push({ headers: request.headers, body })
      const handler = handlers[Math.min(requests.length, handlers.length) - 1]
      handler?.(request, response, body)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  cleanups.push(async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/EWS/Exchange.asmx`, requests }
}

const status =
  (code: number, headers: Record<string, string> = {}) =>
  (_: IncomingMessage, response: ServerResponse) => {
    response.writeHead(code, headers).end('<html>no SOAP</html>')
  }
const soap =
  (body: string, code = 200) =>
  (_: IncomingMessage, response: ServerResponse) => {
    response
      .writeHead(code, { 'content-type': 'text/xml; charset=utf-8' })
      .end(
        `<?xml version="1.0"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" ` +
          `xmlns:m="http://schemas.microsoft.com/exchange/services/2006/messages" ` +
          `xmlns:t="http://schemas.microsoft.com/exchange/services/2006/types"><s:Body>${body}</s:Body></s:Envelope>`,
      )
  }
const page = (stamps: string[], last: boolean, next = 0) =>
  soap(
    `<m:FindItemResponse><m:ResponseMessages><m:FindItemResponseMessage ResponseClass="Success"><m:ResponseCode>NoError</m:ResponseCode>` +
      `<m:RootFolder IndexedPagingOffset="${next}" TotalItemsInView="9" IncludesLastItemInRange="${last}"><t:Items>${stamps
        .map(
          (stamp) =>
            `<t:Message><t:ExtendedProperty><t:ExtendedFieldURI DistinguishedPropertySetId="InternetHeaders" PropertyName="X-Gatehouse-Id" ` +
            `PropertyType="String"/><t:Value>${stamp}</t:Value></t:ExtendedProperty></t:Message>`,
        )
        .join('')}</t:Items></m:RootFolder></m:FindItemResponseMessage></m:ResponseMessages></m:FindItemResponse>`,
  )
const signal = () => AbortSignal.timeout(20_000)
const thrownBy = async (promise: Promise<unknown>): Promise<unknown> => {
  try {
    await promise
  } catch (error) {
    return error
  }
  return undefined
}

describe('against an Exchange that checks the schema', () => {
  it('sends a mail, finds it by its stamp and nothing by another', async () => {
    const { sender, mails } = await startSimulator()
    const ews = sender()

    await ews.send(mailOf('stamp-1'), signal())

    expect(await mails()).toMatchObject([{ to: ['alex@contoso.com'], stamp: 'stamp-1', subject: 'Sujet <é> & “x”' }])
    expect([
      await ews.wasSent('stamp-1', signal()),
      await ews.wasSent('stamp-', signal()),
      await ews.wasSent('', signal()),
    ]).toEqual([true, false, false])
  })

  it('waits exactly as long as a busy server says', async () => {
    const { sender } = await startSimulator({ ews: { busyPercent: 100, backOffMs: 297_749 } })

    const error = await thrownBy(sender().send(mailOf('s'), signal()))

    expect(error).toBeInstanceOf(RetryableError)
    expect(error).toMatchObject({
      code: 'ews-error-server-busy',
      retryAfterMs: 297_749,
      detail: { scope: 'server', sent: 'no' },
    })
  })

  it('does not know whether the mail went out when the answer is lost, and finds out', async () => {
    const { sender, mails } = await startSimulator({ ews: { lostAnswerPercent: 100 } })
    const ews = sender()

    const error = await thrownBy(ews.send(mailOf('lost'), signal()))

    expect(error).toMatchObject({ name: 'RetryableError', code: 'ews-answer-lost', detail: { sent: 'maybe' } })
    expect(await ews.wasSent('lost', signal())).toBe(true)
    expect(await mails()).toHaveLength(1)
  })

  it('asks for the password at each request, so that a changed one needs no restart', async () => {
    const { simulator, sender, mails } = await startSimulator()
    let password = 'expired'
    const ews = sender({ password: () => password })
    expect(await thrownBy(ews.send(mailOf('a'), signal()))).toMatchObject({ code: 'ews-unauthorized' })

    password = simulator.notificationPassword
    await ews.send(mailOf('a'), signal())

    expect(await mails()).toHaveLength(1)
  })

  it('tells what concerns the account from what concerns one recipient', async () => {
    const { sender } = await startSimulator()

    expect(await thrownBy(sender({ from: 'ceo@contoso.com' }).send(mailOf('a'), signal()))).toMatchObject({
      name: 'PermanentError',
      code: 'ews-error-send-as-denied',
      detail: { scope: 'account' },
    })
    expect(await thrownBy(sender({ password: 'wrong' }).send(mailOf('b'), signal()))).toMatchObject({
      name: 'PermanentError',
      code: 'ews-unauthorized',
      detail: { scope: 'account' },
    })
    for (const to of ['', 'nobody', 'a@b@c', 'a@b.c\r\nBcc: d@e.f', '<a@b.c>']) {
      expect(await thrownBy(sender().send(mailOf('c', to), signal()))).toMatchObject({
        name: 'PermanentError',
        detail: { scope: 'recipient' },
      })
    }
  })
})

describe('against a server that misbehaves', () => {
  it('says who it is, and logs on with Basic', async () => {
    const { url, requests } = await startScripted([page([], true)])

    await senderOf({ url, user: 'contoso\\ü', password: 'p:ß' }).wasSent('x', signal())

    expect(requests[0]?.headers).toMatchObject({
      authorization: `Basic ${Buffer.from('contoso\\ü:p:ß').toString('base64')}`,
      'content-type': 'text/xml; charset=utf-8',
    })
    expect(requests[0]?.headers['user-agent']).toMatch(/^Gatehouse\/\d+\.\d+\.\d+$/)
  })

  it('follows the pages and believes only the exact stamp', async () => {
    const { url, requests } = await startScripted([page(['X', 'x '.trim().toUpperCase(), 'xx'], false, 200), page(['x'], true)])

    expect(await senderOf({ url }).wasSent('x', signal())).toBe(true)
    expect(requests).toHaveLength(2)
    expect(requests[1]?.body).toContain('Offset="200"')
  })

  it('does not follow pages that do not advance', async () => {
    const { url } = await startScripted([page(['y'], false, 0)])

    expect(await thrownBy(senderOf({ url }).wasSent('x', signal()))).toMatchObject({ code: 'ews-answer-unreadable' })
  })

  it('asks again after one 401, which proves nothing', async () => {
    const { url, requests } = await startScripted([status(401), page(['x'], true)])

    expect(await senderOf({ url }).wasSent('x', signal())).toBe(true)
    expect(requests).toHaveLength(2)
  })

  it.each([
    [403, {}, PermanentError, 'ews-forbidden', undefined],
    [404, {}, PermanentError, 'ews-not-found', undefined],
    [302, { location: '/ews/genericerrorpage.htm' }, RetryableError, 'ews-http-302', undefined],
    [500, {}, RetryableError, 'ews-http-500', undefined],
    [503, { 'retry-after': '2.5' }, RetryableError, 'ews-http-503', 2_500],
  ] as const)('maps a bare %i', async (code, headers, type, name, retryAfterMs) => {
    const { url, requests } = await startScripted([status(code, headers)])

    const error = await thrownBy(senderOf({ url }).send(mailOf('s'), signal()))

    expect(error).toBeInstanceOf(type)
    expect(error).toMatchObject({ code: name })
    expect((error as RetryableError).retryAfterMs).toBe(retryAfterMs)
    expect(requests).toHaveLength(1)
  })

  it('takes no answer that is endless, cut short or not EWS for a success', async () => {
    const endless = (_: IncomingMessage, response: ServerResponse) => {
      response.writeHead(200, { 'content-type': 'text/xml' })
      const write = () => {
        while (response.writable && response.write('<a>'.repeat(20_000))) {}
        if (response.writable) response.once('drain', write)
      }
      write()
    }
    const cut = (_: IncomingMessage, response: ServerResponse) => {
      response.writeHead(200, { 'content-length': '5000' }).write('<s:Envelope')
      setImmediate(() => response.destroy())
    }
    for (const handler of [endless, cut, status(200), soap('<m:Other/>'), soap('')]) {
      const { url } = await startScripted([handler])

      expect(await thrownBy(senderOf({ url }).send(mailOf('s'), signal()))).toMatchObject({
        name: 'RetryableError',
        detail: { sent: 'maybe' },
      })
    }
  })

  it('does not wait for ever', async () => {
    const { url } = await startScripted([() => {}])

    expect(await thrownBy(senderOf({ url, requestMs: 100 }).send(mailOf('s'), signal()))).toMatchObject({
      code: 'ews-answer-lost',
      detail: { sent: 'maybe' },
    })
  })

  it('stops when it is told to, with the reason it is given', async () => {
    const stop = new AbortController()
    const reason = new Error('stopping')
    const { url } = await startScripted([() => stop.abort(reason)])

    expect(await thrownBy(senderOf({ url }).send(mailOf('s'), stop.signal))).toBe(reason)
  })

  it('knows that a server that is not there has taken nothing', async () => {
    const { url } = await startScripted([])
    await cleanups.pop()?.()

    expect(await thrownBy(senderOf({ url }).send(mailOf('s'), signal()))).toMatchObject({
      code: 'ews-unreachable',
      detail: { sent: 'no' },
    })
  })

  it('never sends the password in the clear to another machine', () => {
    expect(() => createEwsSender({ url: 'http://mail.contoso.com/EWS', user: 'u', password: 'p', log })).toThrow(PermanentError)
    expect(() => createEwsSender({ url: 'http://127.0.0.1.evil.example/EWS', user: 'u', password: 'p', log })).toThrow(
      PermanentError,
    )
  })
})
