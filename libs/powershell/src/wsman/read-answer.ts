import { PermanentError, RetryableError } from '@gatehouse/messages'
import type { HttpResponse } from './http-connection.ts'
import { parseResponse, type WsmanResponse } from './response.ts'

/**
 * What the server says to the request of this id. Throws PermanentError and RetryableError whose `detail` holds `mayHaveRun`
 * and `shellLost`, for what is no answer to it.
 */
export function readAnswer(http: HttpResponse, messageId: string, mayHaveRun: boolean): WsmanResponse {
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
    throw malformedAnswer('The answer relates to another request', mayHaveRun)
  }
  return response
}

/** For an answer that cannot be what was asked for: nothing that the shell says can be relied on any more. */
export function malformedAnswer(message: string, mayHaveRun: boolean, cause?: unknown): RetryableError {
  return new RetryableError('wsman-malformed', message, { cause, detail: { mayHaveRun, shellLost: true } })
}

/** The error for an answer that is no WSMan response: IIS, a proxy or a load balancer spoke instead. */
function httpError(http: HttpResponse, cause: unknown, mayHaveRun: boolean): PermanentError | RetryableError {
  const { status } = http
  const refused = { cause, detail: { status, mayHaveRun: false, shellLost: true } }
  // Not retried: repeated wrong passwords lock the account out.
  if (status === 401) return new PermanentError('wsman-unauthorized', 'The server refused the credentials (401)', refused)
  if (status === 403) return new PermanentError('wsman-access-denied', 'The server refused access (403)', refused)
  if (status >= 300 && status < 400) {
    const message = `The server redirects (${status}) to ${placeOf(http.location)}; name that URL in the settings instead`
    return new PermanentError('wsman-redirected', message, refused)
  }
  if (status !== 200) {
    return new RetryableError('wsman-http-status', `The server answered ${status}`, {
      cause,
      detail: { status, mayHaveRun, shellLost: true },
      retryAfterMs: http.retryAfterMs,
    })
  }
  return malformedAnswer('The answer is not a WSMan response', mayHaveRun, cause)
}

/** Without the query: a sign-in page's may hold what is nobody's business. */
function placeOf(location: string | undefined): string {
  const url = URL.parse(location ?? '')
  return url === null ? 'somewhere else' : `${url.origin}${url.pathname}`.slice(0, 500)
}
