import { isUtf8 } from 'node:buffer'
import { PermanentError, RetryableError } from '@gatehouse/messages'
import { type Dispatcher, Pool } from 'undici'

export type HttpOptions = {
  /** With `?PSVersion=`, as it is requested. */
  readonly url: URL
  readonly authorization: string
  readonly ca?: string | undefined
  readonly connectTimeoutMs: number
  readonly responseBytesMax: number
  /** Sockets of one shell: a Receive, and beside it a Signal or the next Command. */
  readonly socketsMax: number
}

export type HttpResponse = { readonly status: number; readonly body: string; readonly retryAfterMs: number | undefined }

const COOKIES_MAX = 16
const COOKIE_BYTES_MAX = 4_096
const CERTIFICATE_CODES = /^(CERT_|ERR_TLS_CERT|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_(GET|VERIFY|DECRYPT))/
/** Raised before anything was written. */
const CONNECT_CODES =
  /^(UND_ERR_CONNECT_TIMEOUT|ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|EPROTO|ERR_SSL_|ERR_TLS_)/

/**
 * The sockets and cookies of one shell. Exchange routes by cookie, and a load balancer by connection: a request that comes
 * without either may reach a server that does not know the shell.
 */
export class HttpConnection {
  private readonly options: HttpOptions
  private readonly path: string
  private readonly cookies = new Map<string, string>()
  private pool: Pool
  private headers: Record<string, string> = {}

  constructor(options: HttpOptions, cookie?: string) {
    this.options = options
    this.path = options.url.pathname + options.url.search
    for (const pair of cookie?.split('; ') ?? []) this.keepCookie(pair)
    this.makeHeaders()
    this.pool = this.createPool()
  }

  /** The Cookie header that belongs to this shell. */
  get cookie(): string | undefined {
    return this.headers['cookie']
  }

  /**
   * Posts one envelope. Throws RetryableError (`wsman-connect-failed`, `wsman-connection-lost`, `wsman-http-timeout`) whose
   * `detail.sent` says whether the server may have read the request, and PermanentError for a certificate that is not
   * trusted, a compressed or an oversized answer.
   */
  post(envelope: string, timeoutMs: number): Promise<HttpResponse> {
    return new Promise((resolve, reject) => {
      const handler = new ResponseCollector(
        this.options.responseBytesMax,
        (response) => {
          if (response.cookies !== undefined) for (const cookie of response.cookies) this.keepCookie(cookie)
          if (response.cookies !== undefined) this.makeHeaders()
          resolve(response)
        },
        reject,
      )
      this.pool.dispatch(
        {
          path: this.path,
          method: 'POST',
          headers: this.headers,
          body: envelope,
          headersTimeout: timeoutMs,
          bodyTimeout: timeoutMs,
        },
        handler,
      )
    })
  }

  /** Breaks every request in flight and starts again with fresh sockets and the same cookies. */
  async reset(): Promise<void> {
    const old = this.pool
    this.pool = this.createPool()
    await old.destroy()
  }

  async destroy(): Promise<void> {
    await this.pool.destroy()
  }

  private createPool(): Pool {
    const { url, ca, connectTimeoutMs, socketsMax } = this.options
    return new Pool(url.origin, {
      connections: socketsMax,
      pipelining: 1,
      allowH2: false,
      connectTimeout: connectTimeoutMs,
      // IIS closes idle connections after 120 s; one that is about to be closed must not carry a Command.
      keepAliveTimeout: 60_000,
      keepAliveMaxTimeout: 90_000,
      keepAliveTimeoutThreshold: 2_000,
      connect: ca === undefined ? {} : { ca },
    })
  }

  private makeHeaders(): void {
    const headers: Record<string, string> = {
      authorization: this.options.authorization,
      'content-type': 'application/soap+xml;charset=UTF-8',
      'user-agent': 'Gatehouse WSMan Client',
      // IIS would compress what is mostly base64 of text.
      'accept-encoding': 'identity',
    }
    if (this.cookies.size > 0) headers['cookie'] = [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    this.headers = headers
  }

  private keepCookie(text: string): void {
    const pair = text.split(';', 1)[0] ?? ''
    const equals = pair.indexOf('=')
    if (equals < 1 || pair.length > COOKIE_BYTES_MAX) return
    const name = pair.slice(0, equals).trim()
    if (this.cookies.size < COOKIES_MAX || this.cookies.has(name)) this.cookies.set(name, pair.slice(equals + 1).trim())
  }
}

type Collected = HttpResponse & { readonly cookies: readonly string[] | undefined }

/** Collects one response. undici's own body stream would cost more than everything else done for a small request. */
class ResponseCollector implements Dispatcher.DispatchHandler {
  private readonly bytesMax: number
  private readonly done: (response: Collected) => void
  private readonly failed: (error: Error) => void
  private readonly chunks: Buffer[] = []
  private bytes = 0
  private status = 0
  private sent = false
  private cookies: readonly string[] | undefined
  private retryAfterMs: number | undefined

  constructor(bytesMax: number, done: (response: Collected) => void, failed: (error: Error) => void) {
    this.bytesMax = bytesMax
    this.done = done
    this.failed = failed
  }

  onRequestStart(): void {
    this.sent = true
  }

  onResponseStart(
    controller: Dispatcher.DispatchController,
    status: number,
    headers: Record<string, string | string[] | undefined>,
  ): void {
    this.status = status
    const cookies = headers['set-cookie']
    this.cookies = typeof cookies === 'string' ? [cookies] : cookies
    const encoding = headers['content-encoding']
    if (encoding !== undefined && encoding !== 'identity') {
      controller.abort(
        new PermanentError(
          'wsman-compressed',
          `The server answered with Content-Encoding ${String(encoding)} although identity was asked for`,
        ),
      )
    }
    const retryAfter = headers['retry-after']
    if (typeof retryAfter === 'string' && /^\d{1,6}(\.\d{1,6})?$/.test(retryAfter))
      this.retryAfterMs = Math.ceil(Number(retryAfter) * 1000)
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.bytes += chunk.length
    if (this.bytes > this.bytesMax) {
      controller.abort(
        new PermanentError('wsman-response-too-large', `The server's answer is larger than ${this.bytesMax} bytes`),
      )
      return
    }
    this.chunks.push(chunk)
  }

  onResponseEnd(): void {
    const [first] = this.chunks
    const bytes = this.chunks.length === 1 && first !== undefined ? first : Buffer.concat(this.chunks, this.bytes)
    if (!isUtf8(bytes)) {
      this.failed(new RetryableError('wsman-malformed', 'The answer is not UTF-8', { detail: { sent: true } }))
      return
    }
    this.done({ status: this.status, body: bytes.toString('utf8'), cookies: this.cookies, retryAfterMs: this.retryAfterMs })
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.failed(connectionError(error, this.sent))
  }
}

function connectionError(error: Error & { code?: string }, sent: boolean): Error {
  if (error instanceof PermanentError) return error
  const code = error.code ?? ''
  const options = { cause: error, detail: { sent, errorCode: code } }
  if (CERTIFICATE_CODES.test(code))
    return new PermanentError('wsman-certificate-refused', `The server's certificate is not trusted: ${code}`, options)
  if (code === 'UND_ERR_HEADERS_TIMEOUT' || code === 'UND_ERR_BODY_TIMEOUT') {
    return new RetryableError('wsman-http-timeout', 'The server did not answer in time', options)
  }
  if (!sent || CONNECT_CODES.test(code)) {
    return new RetryableError('wsman-connect-failed', `No connection to the server: ${code || error.message}`, {
      cause: error,
      detail: { sent: false, errorCode: code },
    })
  }
  return new RetryableError('wsman-connection-lost', `The connection was lost: ${code || error.message}`, options)
}
