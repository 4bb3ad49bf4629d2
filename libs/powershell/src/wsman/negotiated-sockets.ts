import { PermanentError, RetryableError } from '@gatehouse/messages'
import type { Client } from 'undici'
import type { Clock } from '../clock.ts'
import type { CollectedResponse } from './response-collector.ts'
import type { Mechanism, SecurityContext } from './security-context.ts'

export type NegotiatedSocketsOptions = {
  readonly socketsMax: number
  readonly createClient: () => Client
  /** Sends one request on this client's one socket, with this Authorization header when there is one. */
  readonly send: (client: Client, request: NegotiatedRequest, authorization: string | undefined) => Promise<CollectedResponse>
  readonly createContext: (mechanism: Mechanism) => Promise<SecurityContext>
  readonly clock: Clock
  /** How long one token may take to make: a KDC may not answer. */
  readonly tokenMs: number
}

export type NegotiatedRequest = { readonly envelope: string; readonly headMs: number }

/** Kerberos takes one, NTLM within SPNEGO two. */
const LEGS_MAX = 4
const TOKEN_CHARACTERS_MAX = 65_536
const SCHEMES = { negotiate: 'Negotiate', kerberos: 'Kerberos' } as const

/**
 * The sockets of one shell where each socket is authenticated by itself (RFC 4559): every one carries one request at a time,
 * so that an answer's token is known to belong to the request's.
 */
export class NegotiatedSockets {
  private readonly options: NegotiatedSocketsOptions
  private readonly idle: NegotiatedSocket[] = []
  private readonly all: NegotiatedSocket[] = []
  private readonly waiting: ((socket: NegotiatedSocket) => void)[] = []
  /** What this server turned out to want, for all sockets: found out once. */
  private readonly server: ServerHabits = { mechanism: 'negotiate', wantsEveryRequest: false }

  constructor(options: NegotiatedSocketsOptions) {
    this.options = options
  }

  /**
   * Sends a request on a free socket, authenticating it as needed. Throws PermanentError('wsman-mutual-authentication-failed')
   * when the server does not prove itself, and what the context and the connection throw. A 401 that no token can change is
   * an answer like any other.
   */
  async post(request: NegotiatedRequest): Promise<CollectedResponse> {
    const socket = await this.take()
    try {
      return await socket.post(request)
    } finally {
      const next = this.waiting.shift()
      if (next === undefined) this.idle.push(socket)
      else next(socket)
    }
  }

  /** Breaks every request in flight. */
  async destroy(): Promise<void> {
    await Promise.all(this.all.map((socket) => socket.destroy()))
  }

  private take(): Promise<NegotiatedSocket> | NegotiatedSocket {
    const free = this.idle.pop()
    if (free !== undefined) return free
    if (this.all.length >= this.options.socketsMax) return new Promise((resolve) => this.waiting.push(resolve))
    const socket = new NegotiatedSocket(this.options, this.server)
    this.all.push(socket)
    return socket
  }
}

type ServerHabits = { mechanism: Mechanism; wantsEveryRequest: boolean }

class NegotiatedSocket {
  private readonly options: NegotiatedSocketsOptions
  private readonly server: ServerHabits
  private readonly client: Client
  private isAuthenticated = false

  constructor(options: NegotiatedSocketsOptions, server: ServerHabits) {
    this.options = options
    this.server = server
    this.client = options.createClient()
    this.client.on('disconnect', () => {
      this.isAuthenticated = false
    })
  }

  async post(request: NegotiatedRequest): Promise<CollectedResponse> {
    if (this.isAuthenticated && !this.server.wantsEveryRequest) {
      const response = await this.options.send(this.client, request, undefined)
      if (response.status !== 401) return response
      // Still the same socket: IIS without authPersistNonNTLM forgets who it was after each request.
      if (this.isAuthenticated) this.server.wantsEveryRequest = true
    }
    return await this.authenticate(request)
  }

  async destroy(): Promise<void> {
    await this.client.destroy()
  }

  private async authenticate(request: NegotiatedRequest): Promise<CollectedResponse> {
    this.isAuthenticated = false
    let context = await this.limited(this.options.createContext(this.server.mechanism))
    let token = await this.limited(context.step(undefined))
    for (let leg = 1; ; leg++) {
      const authorization = `${SCHEMES[this.server.mechanism]} ${token ?? ''}`
      const response = await this.options.send(this.client, request, authorization)
      const offered = readChallenges(response.challenges)
      const answer = offered[this.server.mechanism]
      if (response.status === 200 || response.status === 500) {
        await this.checkServer(context, answer)
        this.isAuthenticated = true
      }
      if (response.status !== 401 || leg >= LEGS_MAX) return response
      if (answer === undefined && offered.kerberos !== undefined && this.server.mechanism === 'negotiate') {
        this.server.mechanism = 'kerberos'
        context = await this.limited(this.options.createContext('kerberos'))
        token = await this.limited(context.step(undefined))
        continue
      }
      if (answer === undefined || answer === '') return response
      token = await this.limited(context.step(answer))
      if (token === undefined) return response
    }
  }

  /** An answer of WSMan is 200, or 500 with a fault. The one that lets us in brings the server's own proof: without it, anybody could have said yes. */
  private async checkServer(context: SecurityContext, token: string | undefined): Promise<void> {
    let cause: unknown
    try {
      if (token !== undefined && token !== '') await this.limited(context.step(token))
    } catch (error) {
      cause = error
    }
    if (cause === undefined && context.isComplete) return
    await this.client.destroy()
    throw new PermanentError('wsman-mutual-authentication-failed', 'The server did not prove that it is the one of its name', {
      cause,
      detail: { sent: true },
    })
  }

  private limited<T>(work: Promise<T>): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>()
    const cancel = this.options.clock.setTimeout(
      () =>
        reject(
          new RetryableError('wsman-negotiate-failed', `No token within ${this.options.tokenMs} ms: does the KDC answer?`, {
            detail: { sent: false },
          }),
        ),
      this.options.tokenMs,
    )
    work.then(resolve, reject).finally(cancel)
    return promise
  }
}

/** What the server offers: '' for a scheme without a token, undefined for one that is not there. */
function readChallenges(headers: readonly string[]): Record<Mechanism, string | undefined> {
  const found: Record<Mechanism, string | undefined> = { negotiate: undefined, kerberos: undefined }
  for (const header of headers) {
    for (const challenge of header.slice(0, TOKEN_CHARACTERS_MAX).split(',')) {
      const match = /^\s*(Negotiate|Kerberos)(?:\s+([A-Za-z0-9+/]+={0,2}))?\s*$/i.exec(challenge)
      const scheme = match?.[1]?.toLowerCase()
      if (scheme === 'negotiate' || scheme === 'kerberos') found[scheme] ??= match?.[2] ?? ''
    }
  }
  return found
}
