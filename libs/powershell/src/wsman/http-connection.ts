import type { ProxyOptions } from '@gatehouse/http-proxy'
import { Client, type Dispatcher, Pool } from 'undici'
import type { Clock } from '../clock.ts'
import type { CertificateRules } from './certificate.ts'
import { createConnector } from './create-connector.ts'
import { type NegotiatedRequest, NegotiatedSockets } from './negotiated-sockets.ts'
import { type CollectedResponse, ResponseCollector } from './response-collector.ts'
import type { CreateSecurityContext } from './security-context.ts'

export type HttpOptions = {
  /** With `?PSVersion=`, as it is requested. */
  readonly url: URL
  readonly authentication: HttpAuthentication
  readonly certificate: CertificateRules
  readonly proxy?: ProxyOptions | undefined
  readonly connectTimeoutMs: number
  /** How long an answer's body may take, from its head on. */
  readonly bodyMs: number
  readonly responseBytesMax: number
  /** Sockets of one shell: a Receive, and beside it a Signal or the next Command. */
  readonly socketsMax: number
  readonly clock: Clock
}

export type HttpAuthentication =
  | { readonly scheme: 'basic'; readonly authorization: string }
  | {
      readonly scheme: 'negotiate'
      readonly user: string | undefined
      readonly password: string | undefined
      readonly createContext: CreateSecurityContext
    }

export type HttpResponse = Omit<CollectedResponse, 'cookies' | 'challenges'>

const COOKIES_MAX = 16
const COOKIE_BYTES_MAX = 4_096

/**
 * The sockets and cookies of one shell. Exchange routes by cookie, and a load balancer by connection: a request that comes
 * without either may reach a server that does not know the shell.
 */
export class HttpConnection {
  private readonly options: HttpOptions
  private readonly path: string
  private readonly cookies = new Map<string, string>()
  private sockets: Sockets
  private headers: Record<string, string> = {}

  constructor(options: HttpOptions, cookie?: string) {
    this.options = options
    this.path = options.url.pathname + options.url.search
    for (const pair of cookie?.split('; ') ?? []) this.keepCookie(pair)
    this.makeHeaders()
    this.sockets = this.createSockets()
  }

  /** The Cookie header that belongs to this shell. */
  get cookie(): string | undefined {
    return this.headers['cookie']
  }

  /**
   * Posts one envelope; `headMs` is how long the head of the answer may take. Throws RetryableError (`wsman-connect-failed`,
   * `wsman-connection-lost`, `wsman-http-timeout`, `proxy-unreachable`, `proxy-target-unreachable`, `wsman-negotiate-failed`) whose `detail.sent` says
   * whether the server may have read the request, and PermanentError for a certificate that is not trusted, a compressed or an
   * oversized answer, a proxy that refuses (`proxy-refused`) and what NegotiatedSockets says of the server.
   */
  post(envelope: string, headMs: number): Promise<HttpResponse> {
    return this.sockets.post({ envelope, headMs })
  }

  /** Breaks every request in flight and starts again with fresh sockets and the same cookies. */
  async reset(): Promise<void> {
    const old = this.sockets
    this.sockets = this.createSockets()
    await old.destroy()
  }

  async destroy(): Promise<void> {
    await this.sockets.destroy()
  }

  private createSockets(): Sockets {
    const { url, socketsMax, authentication, clock, connectTimeoutMs } = this.options
    const settings = {
      pipelining: 1,
      allowH2: false,
      // The limits of one request are ResponseCollector's.
      headersTimeout: 0,
      bodyTimeout: 0,
      // IIS closes idle connections after 120 s; one that is about to be closed must not carry a Command.
      keepAliveTimeout: 60_000,
      keepAliveMaxTimeout: 90_000,
      keepAliveTimeoutThreshold: 2_000,
      connect: createConnector(this.options),
    }
    if (authentication.scheme === 'basic') {
      const pool = new Pool(url.origin, { ...settings, connections: socketsMax })
      return {
        post: (request) => this.send(pool, request, undefined),
        destroy: () => pool.destroy(),
      }
    }
    const { user, password, createContext } = authentication
    return new NegotiatedSockets({
      socketsMax,
      createClient: () => new Client(url.origin, settings),
      send: (client, request, authorization) => this.send(client, request, authorization),
      createContext: (mechanism) => createContext({ host: url.hostname, mechanism, user, password }),
      clock,
      tokenMs: connectTimeoutMs,
    })
  }

  private send(
    dispatcher: Dispatcher,
    request: NegotiatedRequest,
    authorization: string | undefined,
  ): Promise<CollectedResponse> {
    return new Promise((resolve, reject) => {
      const { responseBytesMax: bytesMax, bodyMs, clock } = this.options
      const done = (response: CollectedResponse) => {
        if (response.cookies !== undefined) {
          for (const cookie of response.cookies) this.keepCookie(cookie)
          this.makeHeaders()
        }
        resolve(response)
      }
      const headers = authorization === undefined ? this.headers : { ...this.headers, authorization }
      dispatcher.dispatch(
        { path: this.path, method: 'POST', headers, body: request.envelope },
        new ResponseCollector({ bytesMax, headMs: request.headMs, bodyMs }, { clock, done, failed: reject }),
      )
    })
  }

  private makeHeaders(): void {
    const headers: Record<string, string> = {
      'content-type': 'application/soap+xml;charset=UTF-8',
      'user-agent': 'Gatehouse WSMan Client',
      // IIS would compress what is mostly base64 of text.
      'accept-encoding': 'identity',
    }
    const { authentication } = this.options
    if (authentication.scheme === 'basic') headers['authorization'] = authentication.authorization
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

type Sockets = {
  post(request: NegotiatedRequest): Promise<CollectedResponse>
  destroy(): Promise<void>
}
