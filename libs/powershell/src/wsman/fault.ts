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
/** 0x80338199, -2144108135: the endpoint is somewhere else. */
const REDIRECTED = 2150859161

// Exchange words its throttling itself, under codes that differ between versions (reference: Exchange throttling texts).
const TOO_MANY_SHELLS = /maximum number of \d+ concurrent shells|exceeded the maximum number of connections allowed/i
const LOAD_QUOTA = /not be approved for at least ([\d,. ]{1,20}) ?milliseconds/i

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
  }
}

/** True for the texts by which Exchange says that the account has all the shells it may have. */
export function saysTooManyShells(message: string): boolean {
  return TOO_MANY_SHELLS.test(message)
}

/** The Z of "not be approved for at least Z milliseconds". */
export function readLoadQuotaMs(message: string): number | undefined {
  const match = LOAD_QUOTA.exec(message)
  if (match?.[1] === undefined) return undefined
  return Number(match[1].replace(/[,. ]/g, ''))
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
  const waitMs = readLoadQuotaMs(fault.message)
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
  if (fault.code === REDIRECTED)
    return new PermanentError('wsman-redirected', fault.message, { detail: { ...lost, mayHaveRun: false } })
  if (fault.code === ACCESS_DENIED || fault.failureCategory?.startsWith('AuthZ') === true) {
    return new PermanentError('wsman-access-denied', fault.message, { detail: { ...lost, mayHaveRun: false } })
  }
  if (isShellGone(fault)) return new RetryableError('wsman-shell-not-found', fault.message, { detail: lost })
  return new RetryableError('wsman-fault', fault.message || `WSMan fault ${fault.code}`, { detail: lost })
}
