import { PermanentError, RetryableError } from '@gatehouse/messages'

/** A WSMan fault, as the server's XML says it. Exchange puts FailureCategory and RequestId at the head of the message. */
export type WsmanFault = {
  /** The number of `WSManFault/@Code`, unsigned; 0 when there is none. */
  readonly code: number
  /** `s:Code/s:Subcode/s:Value`, without its prefix, such as `InvalidSelectors` or `TimedOut`. */
  readonly subcode: string
  readonly machine: string
  readonly message: string
  readonly failureCategory: string | undefined
  readonly requestId: string | undefined
  /** The first URL in the message: where a redirection leads to. */
  readonly location: string | undefined
}

/** ERROR_WSMAN_OPERATION_TIMEDOUT: on a Receive it only means that there is nothing yet. */
const OPERATION_TIMED_OUT = 2150858793
/** ERROR_WSMAN_INVALID_SELECTORS, with "the shell was not found on the server". */
const INVALID_SELECTORS = 2150858843
const ACCESS_DENIED = 5
/** ERROR_WSMAN_QUOTA_MAX_SHELLS and ERROR_WSMAN_QUOTA_MAX_OPERATIONS. */
const QUOTA_SHELLS = 2150859173
const QUOTA_OPERATIONS = 2150859174
/** Nobody says how long: operations end within a moment or two. */
const OPERATION_QUOTA_WAIT_MS = 1_000
/** ERROR_WSMAN_QUOTA_USER and ERROR_WSMAN_QUOTA_SYSTEM: too many requests within the time that is counted, two seconds by default. */
const QUOTA_LOAD: readonly number[] = [2150859175, 2150859176]
const LOAD_QUOTA_WAIT_MS = 2_000
/** Counters of Exchange 2010 have run over and asked for seventeen days until IIS was reset: ask again after an hour at most. */
const LOAD_QUOTA_WAIT_MS_MAX = 3_600_000
/** ERROR_WSMAN_REDIRECT_REQUESTED, -2144108135: the endpoint is somewhere else. */
export const REDIRECT_REQUESTED = 2150859161
/** ERROR_WSMAN_ENCODING_LIMIT and ERROR_WSMAN_MAX_ENVELOPE_SIZE: the request, or the answer it allows, is larger than the server takes. */
const ENVELOPE_TOO_LARGE: readonly number[] = [2150858805, 2150858823]

// Exchange words its throttling itself, under codes that differ between versions (reference: Exchange throttling texts).
const TOO_MANY_SHELLS = /maximum number of [\d.,]{1,9} concurrent shells|exceeded the maximum number of connections allowed/i
// Between the digits: whatever groups thousands where the server was set up.
const LOAD_QUOTA = /not be approved? for at least (\d[\d.,'\u2019\s]{0,24}?)\s?milliseconds/i
const RUNSPACE_BUDGET = /exceeded your budget to create runspace\.? Please wait for (\d{1,9}) seconds/i
const URL_IN_TEXT = /https?:\/\/[^\s<>"']{1,2000}/gi

/** True when the server wants smaller envelopes; it has not looked into the request. */
export function isEnvelopeTooLarge(fault: WsmanFault): boolean {
  return ENVELOPE_TOO_LARGE.includes(fault.code)
}

/** True when the server says that the request belongs to another endpoint: see `location`. */
export function isRedirection(fault: WsmanFault): boolean {
  return fault.code === REDIRECT_REQUESTED
}

export function isOperationTimeout(fault: WsmanFault): boolean {
  return fault.code === OPERATION_TIMED_OUT
}

/** True when the shell the request named is not there (any more). */
export function isShellGone(fault: WsmanFault): boolean {
  return (
    fault.code === INVALID_SELECTORS || fault.subcode === 'InvalidSelectors' || fault.failureCategory === 'WSMan-InvalidShellID'
  )
}

/** Makes a fault from its parts and reads what Exchange put into the message. */
export function createFault(parts: { code: number; subcode: string; machine: string; message: string }): WsmanFault {
  return {
    ...parts,
    failureCategory: /\[FailureCategory=([^\]]{1,100})\]/.exec(parts.message)?.[1],
    requestId: /RequestId=([0-9A-Za-z-]{1,64})/.exec(parts.message)?.[1],
    location: readLocation(parts.message),
  }
}

// Where the detail holds it is not specified; PowerShell takes it from its session (WSMAN_OPTION_REDIRECT_LOCATION).
function readLocation(message: string): string | undefined {
  for (const [found] of message.matchAll(URL_IN_TEXT)) {
    if (!/^https?:\/\/(schemas|www\.w3)\./i.test(found)) return found.replace(/[.,;:)\]]+$/, '')
  }
  return undefined
}

/** True for the texts by which Exchange says that the account has all the shells it may have. */
export function saysTooManyShells(message: string): boolean {
  return TOO_MANY_SHELLS.test(message)
}

/**
 * How long Exchange says to stay away, in milliseconds: the Z of "not be approved for at least Z milliseconds", and the
 * seconds that it asks for when too many runspaces were created. Exact, and an hour at most.
 */
export function readLoadQuotaMs(message: string): number | undefined {
  const milliseconds = LOAD_QUOTA.exec(message)?.[1]
  if (milliseconds !== undefined) return Math.min(Number(milliseconds.replace(/\D/g, '')), LOAD_QUOTA_WAIT_MS_MAX)
  const seconds = RUNSPACE_BUDGET.exec(message)?.[1]
  return seconds === undefined ? undefined : Math.min(Number(seconds) * 1_000, LOAD_QUOTA_WAIT_MS_MAX)
}

/**
 * The error for a fault. `mayHaveRun`: the request was to run something or to fetch its result, so it may have taken effect.
 * Its `detail.shellLost` says that the shell cannot be used any more.
 */
export function faultError(fault: WsmanFault, mayHaveRun: boolean): PermanentError | RetryableError {
  const detail = {
    faultCode: fault.code,
    subcode: fault.subcode,
    machine: fault.machine,
    failureCategory: fault.failureCategory ?? '',
    requestId: fault.requestId ?? '',
    mayHaveRun,
  }
  const waitMs = readLoadQuotaMs(fault.message) ?? (QUOTA_LOAD.includes(fault.code) ? LOAD_QUOTA_WAIT_MS : undefined)
  if (waitMs !== undefined) {
    return new RetryableError('wsman-load-quota', fault.message, {
      retryAfterMs: waitMs,
      detail: { ...detail, mayHaveRun: false, shellLost: false },
    })
  }
  if (fault.code === QUOTA_SHELLS || saysTooManyShells(fault.message)) {
    return new RetryableError('wsman-shell-quota', fault.message, { detail: { ...detail, mayHaveRun: false, shellLost: true } })
  }
  if (fault.code === QUOTA_OPERATIONS) {
    return new RetryableError('wsman-operation-quota', fault.message, {
      retryAfterMs: OPERATION_QUOTA_WAIT_MS,
      detail: { ...detail, mayHaveRun: false, shellLost: false },
    })
  }
  const lost = { ...detail, shellLost: true }
  if (isRedirection(fault))
    return new PermanentError('wsman-redirected', fault.message, { detail: { ...lost, mayHaveRun: false } })
  if (fault.code === ACCESS_DENIED || fault.failureCategory?.startsWith('AuthZ') === true) {
    return new PermanentError('wsman-access-denied', fault.message, { detail: { ...lost, mayHaveRun: false } })
  }
  if (isShellGone(fault)) return new RetryableError('wsman-shell-not-found', fault.message, { detail: lost })
  return new RetryableError('wsman-fault', fault.message || `WSMan fault ${fault.code}`, { detail: lost })
}
