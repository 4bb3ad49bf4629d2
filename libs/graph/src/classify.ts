import { PermanentError, RetryableError } from '@gatehouse/messages'

/** What a call needs to be told apart in an error. */
export type CallSubject = {
  /** The application permission this call needs, for the administrator to grant. */
  readonly permission: string
  /** The policy group that is read, if it is one. */
  readonly groupId?: string
}

export type GraphRefusal = {
  readonly status: number
  readonly body: unknown
  readonly retryAfterMs?: number | undefined
  readonly requestId?: string | undefined
}

type Row = { readonly code: string; readonly permanent: boolean; readonly say: (subject: CallSubject) => string }

const retry = (code: string, text: string): Row => ({ code, permanent: false, say: () => text })
const unavailable = retry('graph-unavailable', 'Graph is unavailable')

/**
 * Statuses of Graph by what they mean for us. Sources: microsoftgraph/microsoft-graph-docs-contrib concepts/errors.md (all of
 * them), concepts/throttling.md (429, 509), concepts/delta-query-overview.md (410), intune-devices-manageddevice-list.md,
 * group-list-transitivemembers.md and device-delta.md (the permissions).
 */
const STATUSES: ReadonlyMap<number, Row> = new Map([
  [400, { code: 'graph-request-refused', permanent: true, say: () => 'Graph refuses the request' }],
  [
    401,
    {
      code: 'graph-unauthorized',
      permanent: true,
      say: () => 'Graph refuses a fresh token: check graph.endpoint and graph.authority',
    },
  ],
  [
    403,
    {
      code: 'graph-permission-missing',
      permanent: true,
      say: ({ permission }) =>
        `Grant the application permission ${permission} of Microsoft Graph to the app registration, with admin consent`,
    },
  ],
  [404, { code: 'graph-not-found', permanent: true, say: () => 'Graph does not know what was asked for' }],
  [408, unavailable],
  [410, { code: 'graph-delta-expired', permanent: true, say: () => 'The delta link has expired' }],
  [423, unavailable],
  [429, retry('graph-throttled', 'Graph is throttling us')],
  [509, retry('graph-throttled', 'Graph is throttling us')],
])

const groupUnknown: Row = {
  code: 'graph-group-unknown',
  permanent: true,
  say: ({ groupId }) => `Entra has no group ${groupId}: correct policy.includedGroups or policy.excludedGroups`,
}

/** The error of an answer of Graph's that is not 200. */
export function classifyRefusal(refusal: GraphRefusal, subject: CallSubject): PermanentError | RetryableError {
  const { status, retryAfterMs, requestId } = refusal
  const isGroupUnknown = status === 404 && subject.groupId !== undefined
  const known = isGroupUnknown ? groupUnknown : STATUSES.get(status)
  const row = known ?? (status >= 400 && status < 500 ? (STATUSES.get(400) as Row) : unavailable)
  const said = errorCodeOf(refusal.body)
  const message = `${row.say(subject)} (HTTP ${status}${said === '' ? '' : ` ${said}`})`
  const detail = { status, ...(said !== '' && { graphCode: said }), ...(requestId !== undefined && { requestId }) }
  if (row.permanent) return new PermanentError(row.code, message, { detail })
  return new RetryableError(row.code, message, { detail, retryAfterMs })
}

/** Graph's word for it, `error.code`; `''` when the answer is not Graph's. */
function errorCodeOf(body: unknown): string {
  const code = (body as { error?: { code?: unknown } } | null | undefined)?.error?.code
  return typeof code === 'string' ? code.replace(/[^\w.-]/g, '').slice(0, 80) : ''
}

/** The error of a connection that could not be made, be it by the proxy, or broke before the answer was complete. */
export function classifyConnection(cause: unknown, service: 'Graph' | 'Entra sign-in'): PermanentError | RetryableError {
  if (cause instanceof PermanentError) {
    return new PermanentError('graph-proxy-refused', `${cause.message}: correct graph.proxy`, { cause })
  }
  if (cause instanceof RetryableError) return new RetryableError('graph-unavailable', cause.message, { cause })
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown'
  if (code === 'UND_ERR_RES_EXCEEDED_MAX_SIZE') {
    return new PermanentError('graph-answer-too-large', `${service} gave an answer above the size limit`, { cause })
  }
  if (/CERT|SELF_SIGNED|ERR_TLS|UNABLE_TO_|ERR_SSL/.test(code)) {
    const message = `The certificate of ${service} is not accepted (${code}): if a proxy inspects TLS, name its authority in graph.caFile`
    return new PermanentError('graph-certificate-refused', message, { cause })
  }
  return new RetryableError('graph-unavailable', `${service} cannot be reached, or its answer was cut short (${code})`, {
    cause,
  })
}

/** The error of an answer with status 200 that is not what Graph promises, such as the page of a proxy. */
export function unreadableAnswer(cause: unknown): RetryableError {
  return new RetryableError('graph-answer-unreadable', 'The answer of Graph cannot be read', { cause })
}

const credentials = (text: string) => ({ code: 'graph-credentials-invalid', text })

/**
 * Sign-in errors that only an administrator can end. Source: learn.microsoft.com/entra/identity-platform/reference-error-codes.
 * Microsoft may change the numbers; one that is not here is told apart by the OAuth error (RFC 6749 §5.2).
 */
const SIGN_IN: ReadonlyMap<number, { code: string; text: string }> = new Map([
  [7000215, credentials('The client secret is wrong: put its value, not its id, into the file of graph.clientSecretFile')],
  [7000222, credentials('The client secret has expired: create a new one and put it into the file of graph.clientSecretFile')],
  [7000112, credentials('The application is disabled in this tenant: enable it under Enterprise applications')],
  [
    700016,
    {
      code: 'graph-application-unknown',
      text: 'This tenant has no application with this id: correct graph.clientId or graph.tenantId',
    },
  ],
  [
    90002,
    {
      code: 'graph-tenant-unknown',
      text: 'There is no such tenant: correct graph.tenantId, or graph.authority for a national cloud',
    },
  ],
  [900023, { code: 'graph-tenant-unknown', text: 'graph.tenantId is neither an id nor a domain of a tenant' }],
  [
    500011,
    {
      code: 'graph-endpoint-unknown',
      text: 'This tenant does not know Graph at this address: graph.endpoint and graph.authority must be of one cloud',
    },
  ],
  [
    53003,
    {
      code: 'graph-sign-in-blocked',
      text: 'Conditional Access blocks the application: exclude the workload identity or allow this network',
    },
  ],
])

/** The error of a refused sign-in. `text` is only searched for the AADSTS number. */
export function classifySignIn(said: { error: string; text: string }, cause: unknown): PermanentError | RetryableError {
  const number = Number(/AADSTS(\d{4,8})/.exec(said.text)?.[1])
  const row = SIGN_IN.get(number)
  const suffix = Number.isNaN(number) ? said.error : `AADSTS${number}`
  const detail = { signInError: suffix }
  if (row !== undefined) return new PermanentError(row.code, `${row.text} (${suffix})`, { cause, detail })
  if (PERMANENT_OAUTH.has(said.error)) {
    return new PermanentError('graph-sign-in-refused', `Entra refuses the sign-in of the application (${suffix})`, {
      cause,
      detail,
    })
  }
  return new RetryableError('graph-unavailable', `Signing in to Entra failed (${suffix})`, { cause, detail })
}

const PERMANENT_OAUTH = new Set([
  'invalid_client',
  'unauthorized_client',
  'invalid_request',
  'invalid_scope',
  'unsupported_grant_type',
  'invalid_resource',
])
