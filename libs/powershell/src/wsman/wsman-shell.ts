import { randomUUID } from 'node:crypto'
import { PermanentError, RetryableError } from '@gatehouse/messages'
import type { ShellAddress } from '../leases.ts'
import type { ReceivedAnswer, RemoteShell } from '../pool/remote-shell.ts'
import { ClientPool } from '../protocol/client-pool.ts'
import type { Trace } from '../protocol/trace.ts'
import { EnvelopeWriter, payloadBytesOf } from './envelope.ts'
import { faultError, isOperationTimeout, isShellGone, type WsmanFault } from './fault.ts'
import { HttpConnection, type HttpOptions, type HttpResponse } from './http-connection.ts'
import { parseResponse, type WsmanResponse } from './response.ts'

export type WsmanShellOptions = {
  readonly http: HttpOptions
  readonly resourceUri: string
  readonly idleTimeoutMs: number
  /** How long the server holds a Receive that has nothing to say. */
  readonly operationTimeoutMs: number
  readonly trace?: Trace | undefined
}

// The default of Windows Server 2008 R2, and of everything since protocol 2.2.
const ENVELOPE_BYTES = 153_600
const ENVELOPE_BYTES_GROWN = 512_000
/** On top of the operation timeout: how late an answer may come before the connection counts as dead. */
const HTTP_GRACE_MS = 10_000
/** Smaller answers are parsed before the next Receive goes out: they mostly are the whole of a result. */
const LARGE_ANSWER_CHARACTERS = 32_768
const NO_MORE = 'CommandState/Done'

/** A shell on a WSMan endpoint ([MS-WSMV] 3.1.4): one instance, one shell, its own sockets and cookies. */
export class WsmanShell implements RemoteShell {
  readonly client: ClientPool
  private readonly options: WsmanShellOptions
  private readonly connection: HttpConnection
  private readonly writer: EnvelopeWriter
  private shellId: string
  private grown = false

  /** `existing`: a shell that another process created, to be deleted. */
  constructor(options: WsmanShellOptions, existing?: ShellAddress) {
    this.options = options
    this.client = new ClientPool({ runspacePoolId: randomUUID(), trace: options.trace })
    this.shellId = existing?.shellId ?? randomUUID().toUpperCase()
    this.connection = new HttpConnection(options.http, existing?.cookie)
    this.writer = new EnvelopeWriter(
      {
        url: options.http.url.href,
        resourceUri: options.resourceUri,
        sessionId: randomUUID().toUpperCase(),
        operationTimeoutMs: options.operationTimeoutMs,
      },
      ENVELOPE_BYTES,
    )
    this.writer.setShellId(this.shellId)
  }

  get address(): ShellAddress {
    return { shellId: this.shellId, url: this.options.http.url.href, cookie: this.connection.cookie }
  }

  get fragmentBytesMax(): number {
    return payloadBytesOf(this.grown ? ENVELOPE_BYTES_GROWN : ENVELOPE_BYTES)
  }

  async create(): Promise<void> {
    const { shellId, options } = this
    const creation = this.client.open(this.fragmentBytesMax)
    const id = newMessageId()
    const response = await this.request(
      id,
      this.writer.create(id, { shellId, idleTimeoutMs: options.idleTimeoutMs, creation }),
      false,
    )
    if (response.shellId === undefined) throw new PermanentError('wsman-malformed', 'The answer to Create names no shell')
    this.shellId = response.shellId
    this.writer.setShellId(response.shellId)
  }

  growEnvelope(): void {
    this.grown = true
    this.writer.setEnvelopeBytesMax(ENVELOPE_BYTES_GROWN)
  }

  async startCommand(pipelineId: string, first: Buffer): Promise<void> {
    const commandId = pipelineId.toUpperCase()
    const id = newMessageId()
    const response = await this.request(id, this.writer.command(id, commandId, first), true)
    if (response.commandId !== undefined && response.commandId.toUpperCase() !== commandId) {
      throw new RetryableError('wsman-malformed', 'The server gave the command another id', {
        detail: { mayHaveRun: true, shellLost: true },
      })
    }
  }

  async send(pipelineId: string | undefined, fragment: Buffer): Promise<void> {
    const id = newMessageId()
    await this.request(id, this.writer.send(id, pipelineId?.toUpperCase(), fragment), true)
  }

  async receive(pipelineId: string | undefined): Promise<ReceivedAnswer> {
    const id = newMessageId()
    const http = await this.post(this.writer.receive(id, pipelineId?.toUpperCase()), true)
    return {
      looksUnfinished: http.body.length > LARGE_ANSWER_CHARACTERS && !http.body.includes(NO_MORE, http.body.length - 2_000),
      read: () => readReceived(parse(http, id, true)),
    }
  }

  async signal(pipelineId: string, kind: 'terminate' | 'stop'): Promise<void> {
    const id = newMessageId()
    await this.request(id, this.writer.signal(id, pipelineId.toUpperCase(), kind), false)
  }

  async delete(): Promise<void> {
    const id = newMessageId()
    const { fault } = parse(await this.post(this.writer.delete(id), false), id, false)
    if (fault !== undefined && !isShellGone(fault)) throw faultError(fault, false)
  }

  async reset(): Promise<void> {
    await this.connection.reset()
  }

  async destroy(): Promise<void> {
    await this.connection.destroy()
  }

  private async request(messageId: string, envelope: string, mayHaveRun: boolean): Promise<WsmanResponse> {
    const response = parse(await this.post(envelope, mayHaveRun), messageId, mayHaveRun)
    if (response.fault !== undefined) throw faultError(response.fault, mayHaveRun)
    return response
  }

  private async post(envelope: string, mayHaveRun: boolean): Promise<HttpResponse> {
    try {
      return await this.connection.post(envelope, this.options.operationTimeoutMs + HTTP_GRACE_MS)
    } catch (error) {
      throw withRunDetail(error, mayHaveRun)
    }
  }
}

function newMessageId(): string {
  return randomUUID().toUpperCase()
}

function withRunDetail(error: unknown, mayHaveRun: boolean): unknown {
  if (error instanceof PermanentError) {
    return new PermanentError(error.code, error.message, {
      cause: error,
      detail: { ...error.detail, mayHaveRun, shellLost: true },
    })
  }
  if (!(error instanceof RetryableError)) return error
  const { code, message, retryAfterMs, detail } = error
  return new RetryableError(code, message, {
    cause: error,
    retryAfterMs,
    detail: { ...detail, mayHaveRun: mayHaveRun && detail['sent'] !== false, shellLost: true },
  })
}

function parse(http: HttpResponse, messageId: string, mayHaveRun: boolean): WsmanResponse {
  let response: WsmanResponse
  try {
    response = parseResponse(http.body)
  } catch (error) {
    throw httpError(http, error, mayHaveRun)
  }
  if (response.fault === undefined && http.status !== 200) throw httpError(http, undefined, mayHaveRun)
  if (response.relatesTo?.toUpperCase() !== `UUID:${messageId}`) {
    // Some faults, raised before the request was understood, relate to nothing.
    if (response.fault !== undefined && response.relatesTo === undefined) return response
    throw new RetryableError('wsman-malformed', 'The answer relates to another request', {
      detail: { mayHaveRun, shellLost: true },
    })
  }
  return response
}

/** The error for an answer that is no WSMan response: IIS, a proxy or a load balancer spoke instead. */
function httpError(http: HttpResponse, cause: unknown, mayHaveRun: boolean): PermanentError | RetryableError {
  const { status } = http
  const options = { cause, detail: { status, mayHaveRun, shellLost: true } }
  const refused = { cause, detail: { status, mayHaveRun: false, shellLost: true } }
  // Not retried: repeated wrong passwords lock the account out.
  if (status === 401)
    return new PermanentError('wsman-unauthorized', 'The server refused user name and password (401)', refused)
  if (status === 403) return new PermanentError('wsman-access-denied', 'The server refused access (403)', refused)
  if (status >= 300 && status < 400)
    return new PermanentError('wsman-redirected', `The server redirects (${status}); name the other URL instead`, refused)
  if (status !== 200) {
    return new RetryableError('wsman-http-status', `The server answered ${status}`, {
      ...options,
      retryAfterMs: http.retryAfterMs,
    })
  }
  return new RetryableError('wsman-malformed', 'The answer is not a WSMan response', options)
}

function readReceived(response: WsmanResponse): { chunks: readonly Uint8Array[]; isDone: boolean } {
  const fault: WsmanFault | undefined = response.fault
  if (fault !== undefined) {
    if (isOperationTimeout(fault)) return { chunks: [], isDone: false }
    throw faultError(fault, true)
  }
  return { chunks: response.streams.map(decodeBase64), isDone: response.isDone }
}

function decodeBase64(text: string): Uint8Array {
  try {
    return Uint8Array.fromBase64(text)
  } catch (error) {
    throw new RetryableError('wsman-malformed', 'A stream is not base64', {
      cause: error,
      detail: { mayHaveRun: true, shellLost: true },
    })
  }
}
