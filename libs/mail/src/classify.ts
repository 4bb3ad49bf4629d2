import { PermanentError, RetryableError } from '@gatehouse/messages'

/**
 * Whom a failure concerns. `server`: it is busy or broken, any mail may fail now. `account`: nothing goes out of this account
 * until an administrator has done something. `recipient`: this one mail will never go out, the others will.
 */
export type MailFailureScope = 'server' | 'account' | 'recipient'

/** `maybe`: the server may have taken the mail all the same, so Sent Items must be asked before it is sent again. */
export type MailSentState = 'no' | 'maybe'

type Row = { readonly permanent: boolean; readonly scope: MailFailureScope; readonly sent: MailSentState }

const busy: Row = { permanent: false, scope: 'server', sent: 'no' }
const transient: Row = { permanent: false, scope: 'server', sent: 'maybe' }
const account: Row = { permanent: true, scope: 'account', sent: 'no' }
const recipient: Row = { permanent: true, scope: 'recipient', sent: 'no' }

/**
 * EWS response codes by what they mean for a mail. Sources: MicrosoftDocs office-developer-exchange-docs, responsecode.md and
 * ews-throttling-in-exchange.md (tables 3 and 4). A code that is not here is transient: it is tried a bounded number of times.
 */
const ROWS: ReadonlyMap<string, Row> = new Map([
  ['ErrorServerBusy', busy],
  ['ErrorExceededConnectionCount', busy],
  ['ErrorADUnavailable', transient],
  ['ErrorADOperation', transient],
  ['ErrorConnectionFailed', transient],
  ['ErrorInsufficientResources', transient],
  ['ErrorInternalServerError', transient],
  ['ErrorInternalServerTransientError', transient],
  ['ErrorMailboxFailover', transient],
  ['ErrorMailboxMoveInProgress', transient],
  ['ErrorMailboxStoreUnavailable', transient],
  ['ErrorNoRespondingCASInDestinationSite', transient],
  ['ErrorNotEnoughMemory', transient],
  ['ErrorTimeoutExpired', transient],
  ['ErrorAccessDenied', account],
  ['ErrorAccountDisabled', account],
  ['ErrorImpersonateUserDenied', account],
  ['ErrorInvalidServerVersion', account],
  // Of the mailbox that is logged on: a recipient that does not exist is taken and comes back as a non-delivery report.
  ['ErrorNonExistentMailbox', account],
  ['ErrorPasswordExpired', account],
  ['ErrorQuotaExceeded', { ...account, sent: 'maybe' }],
  ['ErrorSchemaValidation', account],
  ['ErrorSendAsDenied', account],
  ['ErrorInvalidRecipients', recipient],
  ['ErrorInvalidSmtpAddress', recipient],
  ['ErrorMessageSizeExceeded', recipient],
])

/** The error of an EWS response code; its `code` is `ews-` and Microsoft's code in kebab-case (`ews-error-server-busy`). */
export function classifyResponseCode(responseCode: string, text: string, backOffMs?: number): PermanentError | RetryableError {
  // A back-off inside another error (ErrorInternalServerError carries one) means busy, whatever the outer code says.
  const row = backOffMs === undefined ? (ROWS.get(responseCode) ?? transient) : busy
  const message = `EWS answered ${responseCode}: ${text.slice(0, 500) || 'no text'}`
  return mailError({ ...row, code: `ews-${kebab(responseCode)}`, message, retryAfterMs: backOffMs })
}

/** The error of an HTTP status that carries no EWS answer. */
export function classifyStatus(status: number, retryAfterMs: number | undefined): PermanentError | RetryableError {
  const hint = STATUS_HINTS.get(status)
  if (hint !== undefined) return mailError({ ...account, ...hint, message: `EWS answered HTTP ${status}: ${hint.message}` })
  const sent = status === 429 ? 'no' : 'maybe'
  const message = `EWS answered HTTP ${status} without an EWS answer`
  return mailError({ ...transient, sent, code: `ews-http-${status}`, message, retryAfterMs })
}

const STATUS_HINTS: ReadonlyMap<number, { code: string; message: string }> = new Map([
  [
    401,
    {
      code: 'ews-unauthorized',
      message: 'user or password refused, or Basic authentication or Extended Protection is in the way',
    },
  ],
  [403, { code: 'ews-forbidden', message: 'EWS is not allowed for this account or for the user agent Gatehouse' }],
  [404, { code: 'ews-not-found', message: 'exchangeWebServiceURL does not lead to EWS' }],
])

const NEVER_REACHED = new Set([
  'ECONNREFUSED',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
  'UND_ERR_CONNECT_TIMEOUT',
])

/** The error of a connection that could not be made, or broke before the answer was complete. */
export function classifyConnection(cause: unknown): PermanentError | RetryableError {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown'
  if (/CERT|SELF_SIGNED|ERR_TLS|UNABLE_TO_|ERR_SSL/.test(code)) {
    const message = `The certificate of EWS is not accepted (${code})`
    return mailError({ ...account, code: 'ews-certificate', message, cause })
  }
  if (NEVER_REACHED.has(code)) {
    const message = `EWS cannot be reached (${code})`
    return mailError({ ...busy, code: 'ews-unreachable', message, cause })
  }
  return mailError({ ...transient, code: 'ews-answer-lost', message: `The answer of EWS was lost (${code})`, cause })
}

/** The error of an answer that is not EWS: cut short, malformed, or too large. */
export function unreadableAnswer(cause: unknown): RetryableError | PermanentError {
  return mailError({ ...transient, code: 'ews-answer-unreadable', message: 'The answer of EWS cannot be read', cause })
}

/** The error of an address no mail can go to. */
export function recipientRefused(): PermanentError | RetryableError {
  return mailError({ ...recipient, code: 'mail-recipient-invalid', message: 'The recipient is not a mail address' })
}

/** What an error of a MailSender says about the mail. An error of another origin says the least: it may have been sent. */
export function mailFailureOf(error: unknown): { scope: MailFailureScope; sent: MailSentState; permanent: boolean } {
  const known = error instanceof PermanentError || error instanceof RetryableError
  const { scope, sent } = known ? error.detail : {}
  return {
    scope: scope === 'account' || scope === 'recipient' ? scope : 'server',
    sent: sent === 'no' ? 'no' : 'maybe',
    permanent: error instanceof PermanentError,
  }
}

type MailErrorFields = Row & { code: string; message: string; retryAfterMs?: number | undefined; cause?: unknown }

function mailError(fields: MailErrorFields): PermanentError | RetryableError {
  const detail = { scope: fields.scope, sent: fields.sent }
  const cause = fields.cause === undefined ? {} : { cause: fields.cause }
  if (fields.permanent) return new PermanentError(fields.code, fields.message, { detail, ...cause })
  return new RetryableError(fields.code, fields.message, { detail, retryAfterMs: fields.retryAfterMs, ...cause })
}

function kebab(responseCode: string): string {
  const words = responseCode.replace(/([a-z\d])([A-Z])/g, '$1-$2').replace(/([A-Z]+)([A-Z][a-z])/g, '$1-$2')
  return (
    words
      .replace(/[^A-Za-z\d-]/g, '')
      .toLowerCase()
      .slice(0, 80) || 'unknown'
  )
}
