import { isUtf8 } from 'node:buffer'
import { PermanentError, RetryableError } from '@gatehouse/messages'
import type { Dispatcher } from 'undici'
import type { Clock } from '../clock.ts'

export type ResponseLimits = {
  readonly bytesMax: number
  /** From the moment the request goes out until the head of the answer is there. */
  readonly headMs: number
  /** From then on until its body is whole. */
  readonly bodyMs: number
}

export type CollectedResponse = {
  readonly status: number
  readonly body: string
  readonly retryAfterMs: number | undefined
  readonly cookies: readonly string[] | undefined
  /** The WWW-Authenticate headers. */
  readonly challenges: readonly string[]
  /** Where a 3xx answer points to. */
  readonly location: string | undefined
  /** Exchange's own id of the request, for its logs. */
  readonly requestId: string | undefined
}

type Headers = Record<string, string | string[] | undefined>

const CONNECT_CODES =
  /^(UND_ERR_CONNECT_TIMEOUT|ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|EPROTO|ERR_SSL_|ERR_TLS_)/

/** Collects one response. undici's own body stream would cost more than everything else done for a small request. */
export class ResponseCollector implements Dispatcher.DispatchHandler {
  private readonly limits: ResponseLimits
  private readonly clock: Clock
  private readonly done: (response: CollectedResponse) => void
  private readonly failed: (error: Error) => void
  private readonly chunks: Buffer[] = []
  private bytes = 0
  private status = 0
  private sent = false
  private headers: Headers = {}
  private cancelDeadline: (() => void) | undefined

  constructor(
    limits: ResponseLimits,
    o: { clock: Clock; done: (response: CollectedResponse) => void; failed: (error: Error) => void },
  ) {
    this.limits = limits
    this.clock = o.clock
    this.done = o.done
    this.failed = o.failed
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.sent = true
    this.failAfter(controller, this.limits.headMs, 'The server did not answer in time')
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number, headers: Headers): void {
    this.status = status
    this.headers = headers
    const encoding = headers['content-encoding']
    if (encoding !== undefined && String(encoding).toLowerCase() !== 'identity') {
      controller.abort(
        new PermanentError(
          'wsman-compressed',
          `The server answered with Content-Encoding ${String(encoding).slice(0, 100)} although identity was asked for`,
          { detail: { sent: true } },
        ),
      )
      return
    }
    this.failAfter(controller, this.limits.bodyMs, "The server's answer did not end in time")
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.bytes += chunk.length
    if (this.bytes > this.limits.bytesMax) {
      controller.abort(
        new PermanentError('wsman-response-too-large', `The server's answer is larger than ${this.limits.bytesMax} bytes`, {
          detail: { sent: true },
        }),
      )
      return
    }
    this.chunks.push(chunk)
  }

  onResponseEnd(): void {
    this.cancelDeadline?.()
    const [first] = this.chunks
    const bytes = this.chunks.length === 1 && first !== undefined ? first : Buffer.concat(this.chunks, this.bytes)
    if (!isUtf8(bytes)) {
      this.failed(new RetryableError('wsman-malformed', 'The answer is not UTF-8', { detail: { sent: true } }))
      return
    }
    const { headers, status } = this
    const requestId = oneOf(headers['request-id'])
    this.done({
      status,
      body: bytes.toString('utf8'),
      retryAfterMs: readRetryAfter(oneOf(headers['retry-after'])),
      cookies: headers['set-cookie'] === undefined ? undefined : allOf(headers['set-cookie']),
      challenges: allOf(headers['www-authenticate']),
      location: oneOf(headers['location']),
      requestId: requestId !== undefined && /^[0-9A-Za-z-]{1,64}$/.test(requestId) ? requestId : undefined,
    })
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.cancelDeadline?.()
    this.failed(connectionError(error, this.sent))
  }

  private failAfter(controller: Dispatcher.DispatchController, ms: number, message: string): void {
    this.cancelDeadline?.()
    this.cancelDeadline = this.clock.setTimeout(
      () => controller.abort(new RetryableError('wsman-http-timeout', message, { detail: { sent: true } })),
      ms,
    )
  }
}

function connectionError(error: Error & { code?: string }, sent: boolean): Error {
  if (error instanceof PermanentError || error instanceof RetryableError) return error
  const code = error.code ?? ''
  if (!sent || CONNECT_CODES.test(code)) {
    return new RetryableError('wsman-connect-failed', `No connection to the server: ${code || error.message}`, {
      cause: error,
      detail: { sent: false, errorCode: code },
    })
  }
  return new RetryableError('wsman-connection-lost', `The connection was lost: ${code || error.message}`, {
    cause: error,
    detail: { sent, errorCode: code },
  })
}

function oneOf(header: string | string[] | undefined): string | undefined {
  return typeof header === 'string' ? header : header?.[0]
}

function allOf(header: string | string[] | undefined): readonly string[] {
  if (header === undefined) return []
  return typeof header === 'string' ? [header] : header
}

function readRetryAfter(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,6}(\.\d{1,6})?$/.test(text) ? Math.ceil(Number(text) * 1000) : undefined
}
