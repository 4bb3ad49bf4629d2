import { randomUUID } from 'node:crypto'
import { PermanentError, RetryableError } from '@gatehouse/messages'
import type { EngineLog } from '../engine-log.ts'
import type { ShellAddress } from '../leases.ts'
import type { ReceivedAnswer, RemoteShell } from '../pool/remote-shell.ts'
import { ClientPool } from '../protocol/client-pool.ts'
import type { Trace } from '../protocol/trace.ts'
import { withDetail } from '../with-detail.ts'
import { type Action, EnvelopeWriter, payloadBytesOf } from './envelope.ts'
import { faultError, isEnvelopeTooLarge, isOperationTimeout, isRedirection, isShellGone } from './fault.ts'
import { HttpConnection, type HttpOptions, type HttpResponse } from './http-connection.ts'
import type { HttpTrace } from './http-trace.ts'
import { malformedAnswer, readAnswer } from './read-answer.ts'
import { followRedirection } from './redirection.ts'
import type { WsmanResponse } from './response.ts'

export type WsmanShellOptions = {
  readonly http: HttpOptions
  readonly resourceUri: string
  readonly idleTimeoutMs: number
  /** How long the server holds a Receive that has nothing to say. */
  readonly operationTimeoutMs: number
  /** On top of the operation timeout: how late an answer may come before the connection counts as dead. */
  readonly answerMs: number
  readonly log: EngineLog
  readonly trace?: Trace | undefined
  readonly traceHttp?: HttpTrace | undefined
}

/**
 * What is asked for once the server speaks protocol 2.2, the default of Windows Server 2008 R2, and the least that WinRM can
 * be set to (MaxEnvelopeSizekb).
 */
const ENVELOPE_BYTES = [512_000, 153_600, 32_768] as const
const GROWN = 0
const UNGROWN = 1
/** Smaller answers are parsed before the next Receive goes out: they mostly are the whole of a result. */
const LARGE_ANSWER_CHARACTERS = 32_768
const NO_MORE = 'CommandState/Done'
const PAYLOAD_TOO_LARGE = 413

type Request = { readonly action: Action; readonly mayHaveRun: boolean; readonly write: (messageId: string) => string }

/** A shell on a WSMan endpoint ([MS-WSMV] 3.1.4): one instance, one shell, its own sockets and cookies. */
export class WsmanShell implements RemoteShell {
  readonly client: ClientPool
  private readonly options: WsmanShellOptions
  private readonly sessionId = randomUUID().toUpperCase()
  private url: URL
  private connection: HttpConnection
  private writer: EnvelopeWriter
  private shellId: string
  /** The index of the size in use. */
  private size = UNGROWN
  private mayGrow = true

  /** `existing`: a shell that another process created, to be deleted. */
  constructor(options: WsmanShellOptions, existing?: ShellAddress) {
    this.options = options
    this.client = new ClientPool({ runspacePoolId: randomUUID(), trace: options.trace })
    this.shellId = existing?.shellId ?? randomUUID().toUpperCase()
    this.url = options.http.url
    this.connection = new HttpConnection(options.http, existing?.cookie)
    this.writer = this.createWriter()
  }

  get address(): ShellAddress {
    return { shellId: this.shellId, url: this.url.href, cookie: this.connection.cookie }
  }

  get fragmentBytesMax(): number {
    return payloadBytesOf(this.envelopeBytes)
  }

  /** Creates the shell, where the server says that it belongs. */
  async create(): Promise<void> {
    const { shellId, options } = this
    const { idleTimeoutMs } = options
    const creation = this.client.open(this.fragmentBytesMax)
    const write = (id: string) => this.writer.create(id, { shellId, idleTimeoutMs, creation })
    const visited = [this.url]
    for (;;) {
      const { fault, shellId: created } = await this.exchange({ action: 'create', mayHaveRun: false, write })
      if (fault !== undefined && isRedirection(fault)) {
        const next = followRedirection(fault.location, visited)
        this.options.log.info({ fromUrl: this.url.href, url: next.href, hop: visited.length }, 'The endpoint redirects')
        visited.push(next)
        this.moveTo(next)
        continue
      }
      if (fault !== undefined) throw faultError(fault, false)
      if (created === undefined) throw new PermanentError('wsman-malformed', 'The answer to Create names no shell')
      this.shellId = created
      this.writer.setShellId(created)
      return
    }
  }

  growEnvelope(): void {
    if (this.mayGrow) this.setSize(GROWN)
  }

  async startCommand(pipelineId: string, first: Buffer): Promise<void> {
    const commandId = pipelineId.toUpperCase()
    const response = await this.request({
      action: 'command',
      mayHaveRun: true,
      write: (id) => this.writer.command(id, commandId, first),
    })
    if (response.commandId !== undefined && response.commandId.toUpperCase() !== commandId)
      throw malformedAnswer('The server gave the command another id', true)
  }

  async send(pipelineId: string | undefined, fragment: Buffer): Promise<void> {
    const commandId = pipelineId?.toUpperCase()
    await this.request({ action: 'send', mayHaveRun: true, write: (id) => this.writer.send(id, commandId, fragment) })
  }

  async receive(pipelineId: string | undefined): Promise<ReceivedAnswer> {
    const commandId = pipelineId?.toUpperCase()
    const id = newMessageId()
    const http = await this.post('receive', this.writer.receive(id, commandId), true)
    return {
      looksUnfinished: http.body.length > LARGE_ANSWER_CHARACTERS && !http.body.includes(NO_MORE, http.body.length - 2_000),
      read: () => this.readReceived(readAnswer(http, id, true), commandId),
    }
  }

  async signal(pipelineId: string, kind: 'terminate' | 'stop'): Promise<void> {
    const commandId = pipelineId.toUpperCase()
    await this.request({ action: 'signal', mayHaveRun: false, write: (id) => this.writer.signal(id, commandId, kind) })
  }

  async delete(): Promise<void> {
    const { fault } = await this.exchange({ action: 'delete', mayHaveRun: false, write: (id) => this.writer.delete(id) })
    if (fault !== undefined && !isShellGone(fault)) throw faultError(fault, false)
  }

  async reset(): Promise<void> {
    await this.connection.reset()
  }

  async destroy(): Promise<void> {
    await this.connection.destroy()
  }

  private get envelopeBytes(): number {
    return ENVELOPE_BYTES[this.size] ?? ENVELOPE_BYTES[UNGROWN]
  }

  private createWriter(): EnvelopeWriter {
    const { resourceUri, operationTimeoutMs } = this.options
    const writer = new EnvelopeWriter(
      { url: this.url.href, resourceUri, sessionId: this.sessionId, operationTimeoutMs },
      this.envelopeBytes,
    )
    writer.setShellId(this.shellId)
    return writer
  }

  /** Sockets and cookies of the other endpoint, and none of this one's. */
  private moveTo(url: URL): void {
    const old = this.connection
    this.url = url
    this.connection = new HttpConnection({ ...this.options.http, url })
    this.writer = this.createWriter()
    old.destroy().catch(() => {})
  }

  private async request(request: Request): Promise<WsmanResponse> {
    const response = await this.exchange(request)
    if (response.fault !== undefined) throw faultError(response.fault, request.mayHaveRun)
    return response
  }

  /** Sends a request, and again with a smaller envelope as long as the server has not looked into it for its size. */
  private async exchange({ action, mayHaveRun, write }: Request): Promise<WsmanResponse> {
    for (;;) {
      const id = newMessageId()
      const sizeSent = this.size
      const envelope = write(id)
      const http = await this.post(action, envelope, mayHaveRun)
      if (http.status !== PAYLOAD_TOO_LARGE) {
        const response = readAnswer(http, id, mayHaveRun)
        if (response.fault === undefined || !isEnvelopeTooLarge(response.fault)) return response
      }
      // Another request may have found out meanwhile.
      if (this.size === sizeSent) this.shrink()
      // Cut anew, it can be sent: the pool does that, since nothing of it has run.
      if (Buffer.byteLength(envelope) > this.envelopeBytes) throw tooLarge(this.envelopeBytes)
    }
  }

  private shrink(): void {
    if (this.size === ENVELOPE_BYTES.length - 1) {
      throw new PermanentError('wsman-envelope-refused', `The server takes no envelope of ${this.envelopeBytes} bytes`, {
        detail: { mayHaveRun: false, shellLost: true },
      })
    }
    this.mayGrow = false
    this.setSize(this.size + 1)
    this.options.log.info({ envelopeBytes: this.envelopeBytes, url: this.url.href }, 'The server wants smaller envelopes')
  }

  private setSize(size: number): void {
    this.size = size
    this.writer.setEnvelopeBytesMax(this.envelopeBytes)
  }

  private async post(action: Action, envelope: string, mayHaveRun: boolean): Promise<HttpResponse> {
    const { traceHttp, operationTimeoutMs, answerMs } = this.options
    const startedAt = traceHttp === undefined ? 0 : performance.now()
    let answer: HttpResponse | undefined
    let code: string | undefined
    try {
      answer = await this.connection.post(envelope, operationTimeoutMs + answerMs)
      return answer
    } catch (error) {
      code = error instanceof PermanentError || error instanceof RetryableError ? error.code : 'unknown'
      throw withRunDetail(error, mayHaveRun)
    } finally {
      traceHttp?.({
        action,
        url: this.url.href,
        shellId: this.shellId,
        requestBytes: Buffer.byteLength(envelope),
        status: answer?.status,
        responseCharacters: answer?.body.length,
        durationMs: performance.now() - startedAt,
        requestId: answer === undefined ? undefined : requestIdOf(answer),
        error: code,
      })
    }
  }

  private readReceived(
    response: WsmanResponse,
    commandId: string | undefined,
  ): { chunks: readonly Uint8Array[]; isDone: boolean } {
    const { fault } = response
    if (fault !== undefined) {
      if (isOperationTimeout(fault)) return { chunks: [], isDone: false }
      if (!isEnvelopeTooLarge(fault)) throw faultError(fault, true)
      this.shrink()
      throw tooLarge(this.envelopeBytes)
    }
    for (const id of response.receivedFor) {
      if (id !== commandId) throw malformedAnswer('The answer brings the output of another command', true)
    }
    return { chunks: response.streams.map(decodeBase64), isDone: response.isDone }
  }
}

function newMessageId(): string {
  return randomUUID().toUpperCase()
}

function requestIdOf({ requestId, status, body }: HttpResponse): string | undefined {
  return requestId ?? (status === 200 ? undefined : /RequestId=([0-9A-Za-z-]{1,64})/.exec(body)?.[1])
}

/** Nothing was lost: the request can go out again at once, in smaller parts. */
function tooLarge(envelopeBytes: number): RetryableError {
  return new RetryableError('wsman-envelope-too-large', `The server takes envelopes of ${envelopeBytes} bytes at most`, {
    retryAfterMs: 0,
    detail: { mayHaveRun: false, shellLost: false },
  })
}

function withRunDetail(error: unknown, mayHaveRun: boolean): unknown {
  const neverLeft = (error instanceof PermanentError || error instanceof RetryableError) && error.detail['sent'] === false
  return withDetail(error, { mayHaveRun: mayHaveRun && !neverLeft, shellLost: true })
}

function decodeBase64(text: string): Uint8Array {
  try {
    return Uint8Array.fromBase64(text)
  } catch (error) {
    throw malformedAnswer('A stream is not base64', true, error)
  }
}
