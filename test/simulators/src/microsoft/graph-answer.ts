import { randomUUID } from 'node:crypto'

export type GraphRequest = {
  method: string
  /** Segments after /v1.0, decoded. */
  segments: string[]
  query: URLSearchParams
  headers: Record<string, string | undefined>
  body: unknown
  /** Scheme, host and version as the client wrote them: links are built on it. */
  base: string
  isInBatch: boolean
}

export type GraphAnswer = { status: number; headers: Record<string, string>; body: unknown }

export function answer(body: unknown, status = 200): GraphAnswer {
  return { status, headers: {}, body }
}

/** Graph's error object. `code` and `message` are Microsoft's words. */
export function refuse(status: number, code: string, message: string, headers: Record<string, string> = {}): GraphAnswer {
  const requestId = randomUUID()
  return {
    status,
    headers: { 'request-id': requestId, ...headers },
    body: {
      error: {
        code,
        message,
        innerError: { date: new Date().toISOString().slice(0, 19), 'request-id': requestId, 'client-request-id': requestId },
      },
    },
  }
}

/** Intune puts an object of its own, as text, into the message of Graph's error. */
export function refuseAsIntune(status: number, code: string, message: string, resource: string): GraphAnswer {
  const details = [
    message,
    'Operation ID (for customer support): 00000000-0000-0000-0000-000000000000',
    `Activity ID: ${randomUUID()}`,
    `Url: https://fef.msua06.manage.microsoft.com/DeviceFE/StatelessDeviceFEService/${resource}?api-version=2024-06-14`,
  ].join(' - ')
  const inner = {
    _version: 3,
    Message: details,
    CustomApiErrorPhrase: '',
    RetryAfter: null,
    ErrorSourceService: '',
    HttpHeaders: '{}',
  }
  return refuse(status, code, JSON.stringify(inner, undefined, 2).replaceAll('\n', '\r\n'))
}

export function refuseUnknownResource(id: string): GraphAnswer {
  return refuse(
    404,
    'Request_ResourceNotFound',
    `Resource '${id}' does not exist or one of its queried reference-property objects are not present.`,
  )
}
