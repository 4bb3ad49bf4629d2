import { getCACertificates } from 'node:tls'
import { abortReason, PermanentError } from '@gatehouse/messages'
import { Tracer } from '@gatehouse/tracing'
import { Pool } from 'undici'
import manifest from '../package.json' with { type: 'json' }
import { classifyConnection, classifyStatus, recipientRefused, unreadableAnswer } from './classify.ts'
import { createItemRequest, findItemRequest } from './ews-request.ts'
import type { Mail, MailLog, MailSender } from './mail-sender.ts'
import { looksLikeSoap, readEwsAnswer, readFoundStamps } from './read-ews-answer.ts'

export type EwsSenderOptions = {
  /** `https://…/EWS/Exchange.asmx`; `http:` on this machine only. */
  readonly url: string
  readonly user: string
  /** A function is asked for it at each request. */
  readonly password: string | (() => string)
  /** PEM of authorities to trust besides the usual ones. */
  readonly ca?: string | undefined
  /** Sends in the name of this address (the account needs the right to); default: the account's own. */
  readonly from?: string | undefined
  readonly log: MailLog
  /** Where each request has a span of its own. */
  readonly tracer?: Tracer
  readonly connectionsMax?: number
  readonly requestMs?: number
}

/** Organisations allow EWS by user agent (EwsAllowList), so it never changes but for the version. */
const USER_AGENT = `Gatehouse/${manifest.version}`
const ANSWER_BYTES_MAX = 8_000_000
const PAGE_ENTRIES = 200
const PAGES_MAX = 100

/**
 * A sender over Exchange Web Services: one mail per CreateItem, stamped, with a copy in Sent Items.
 * @throws PermanentError('mail-url-refused') for an address that would show the password to the network. Its methods throw
 * what classify.ts says; a busy server's RetryableError has exactly its BackOffMilliseconds as `retryAfterMs`.
 */
export function createEwsSender(options: EwsSenderOptions): MailSender & AsyncDisposable {
  const url = checkUrl(options.url)
  const pool = new Pool(url.origin, {
    connections: options.connectionsMax ?? 4,
    pipelining: 1,
    connect: { ...(options.ca === undefined ? {} : { ca: [...getCACertificates('default'), options.ca] }), timeout: 10_000 },
  })
  const exchange = createExchange({ pool, url, options, tracer: options.tracer ?? new Tracer() })

  async function send(mail: Mail, signal: AbortSignal): Promise<void> {
    if (!/^[^\s<>,;"@]{1,64}@[^\s<>,;"@]{1,255}$/.test(mail.to)) throw recipientRefused()
    readEwsAnswer(
      await exchange({ operation: 'CreateItem', body: createItemRequest(mail, options.from) }, signal),
      'CreateItemResponseMessage',
    )
  }

  async function wasSent(stamp: string, signal: AbortSignal): Promise<boolean> {
    let offset = 0
    for (let page = 0; page < PAGES_MAX; page += 1) {
      const body = findItemRequest(stamp, { offset, entriesMax: PAGE_ENTRIES })
      const found = readFoundStamps(
        readEwsAnswer(await exchange({ operation: 'FindItem', body }, signal), 'FindItemResponseMessage'),
      )
      // Compared here as well: a server that does not know the restriction answers every item of the folder.
      if (found.stamps.includes(stamp)) return true
      if (found.nextOffset === undefined) return false
      if (found.nextOffset <= offset) throw unreadableAnswer(new Error('FindItem whose pages do not advance'))
      offset = found.nextOffset
    }
    throw unreadableAnswer(new Error(`FindItem with more than ${PAGES_MAX} pages for one stamp`))
  }

  return { send, wasSent, [Symbol.asyncDispose]: () => pool.close() }
}

function checkUrl(text: string): URL {
  const url = new URL(text)
  const loopback = ['127.0.0.1', '[::1]', 'localhost'].includes(url.hostname)
  if (url.protocol === 'https:' || (url.protocol === 'http:' && loopback)) return url
  throw new PermanentError('mail-url-refused', 'EWS needs an https address (http is for this machine only)')
}

type Call = { readonly operation: string; readonly body: string }
type Exchange = (call: Call, signal: AbortSignal) => Promise<string>

function createExchange(o: { pool: Pool; url: URL; options: EwsSenderOptions; tracer: Tracer }): Exchange {
  const { user, password } = o.options
  const headers = () => ({
    authorization: `Basic ${Buffer.from(`${user}:${typeof password === 'function' ? password() : password}`, 'utf8').toString('base64')}`,
    'content-type': 'text/xml; charset=utf-8',
    accept: 'text/xml',
    'user-agent': USER_AGENT,
  })
  const send = ({ operation, body }: Call, signal: AbortSignal): Promise<Answer> => {
    const request = { method: 'POST' as const, path: o.url.pathname + o.url.search, headers: headers(), body }
    const attributes = () => ({ 'http.request.method': 'POST', 'server.address': o.url.hostname })
    return o.tracer.trace(operation, { kind: 'client', attributes }, async (span) => {
      const answer = await roundTrip(o.pool, request, o.options.requestMs ?? 60_000, signal)
      const error = answer.status >= 400 ? String(answer.status) : undefined
      span.end({ error, attributes: { 'http.response.status_code': answer.status } })
      return answer
    })
  }
  return async (call, signal) => {
    let answer = await send(call, signal)
    // Exchange refuses good credentials now and then under load: one 401 proves nothing, two do. It comes before any work.
    if (answer.status === 401) answer = await send(call, signal)
    if (answer.status === 200 || (answer.status === 500 && looksLikeSoap(answer.text))) return answer.text
    o.options.log.warn({ httpStatus: answer.status, detail: answer.diagnostics }, 'EWS answered without an EWS answer')
    throw classifyStatus(answer.status, answer.retryAfterMs)
  }
}

type Request = { method: 'POST'; path: string; headers: Record<string, string>; body: string }
type Answer = { status: number; text: string; retryAfterMs: number | undefined; diagnostics: Record<string, string> }

async function roundTrip(pool: Pool, request: Request, requestMs: number, signal: AbortSignal): Promise<Answer> {
  const limited = AbortSignal.any([signal, AbortSignal.timeout(requestMs)])
  try {
    const response = await pool.request({ ...request, signal: limited })
    const text = await readText(response.body)
    return {
      status: response.statusCode,
      text,
      retryAfterMs: retryAfterOf(response.headers['retry-after']),
      diagnostics: diagnosticsOf(response.headers),
    }
  } catch (error) {
    if (signal.aborted) throw abortReason(signal)
    throw classifyConnection(error)
  }
}

async function readText(body: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of body) {
    bytes += chunk.byteLength
    if (bytes > ANSWER_BYTES_MAX) throw new Error(`The answer has more than ${ANSWER_BYTES_MAX} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

type Headers = Record<string, string | string[] | undefined>

function retryAfterOf(value: string | string[] | undefined): number | undefined {
  const seconds = typeof value === 'string' ? Number(value) : Number.NaN
  return Number.isFinite(seconds) && seconds >= 0 && seconds <= 86_400 ? Math.ceil(seconds * 1_000) : undefined
}

function diagnosticsOf(headers: Headers): Record<string, string> {
  const names = ['request-id', 'x-feserver', 'x-backendhttpstatus', 'x-caserrorcode']
  return Object.fromEntries(names.flatMap((name) => (typeof headers[name] === 'string' ? [[name, headers[name]]] : [])))
}
