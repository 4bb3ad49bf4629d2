import { PermanentError, RetryableError } from '@gatehouse/messages'

/** What the error of a command says about the server it was sent to. */
export type CommandVerdict =
  /** Nobody is there, or nobody who opens a runspace: the next command goes elsewhere. */
  | 'dead'
  /** It had its time and gave no answer. A single one may be the fault of the command. */
  | 'no-answer'
  /** The fault of the command, the account or ourselves: it says nothing about the server. */
  | 'nothing'

/** What the pool itself says when the server has done nothing wrong. */
const OUR_OWN_CODES = [
  'exchange-closed',
  'runspace-pool-closed',
  'runspace-queue-timeout',
  'runspace-lease-unavailable',
  'cmdlet-stopped',
]

/**
 * undici's ClientDestroyedError: the command was about to be sent on the connections of a shell that was given up because the
 * command before it did not stop.
 */
const BROKEN_BY_US = 'UND_ERR_DESTROYED'

/** `error` is one of this package, or of the engine where no row of the fault table knows it. */
export function judgeCommand(error: unknown): CommandVerdict {
  if (!(error instanceof RetryableError)) return 'nothing'
  if (error.detail['errorCode'] === BROKEN_BY_US) return 'nothing'
  if (error.code === 'exchange-unreachable' || error.code === 'exchange-unavailable') return 'dead'
  // A command that surely never ran, for a reason of the server: it waited for a runspace that could not be opened.
  if (error.detail['mayHaveRun'] === false) return isOfTheServer(error) ? 'dead' : 'nothing'
  const { code, cause } = error
  return code === 'cmdlet-timeout' || (cause instanceof RetryableError && cause.code === 'wsman-http-timeout')
    ? 'no-answer'
    : 'nothing'
}

/**
 * Whether to try another server after a pool could not be opened. At the primary a lasting error is one of the settings, and
 * must be seen; at another server it only means that this one does not serve. Every attempt with a wrong password brings the
 * account closer to its lockout.
 */
export function mayTryAnother(error: unknown, isPrimary: boolean): boolean {
  if (error instanceof RetryableError) return isOfTheServer(error)
  return error instanceof PermanentError && !isPrimary && error.code !== 'exchange-authentication-failed'
}

function isOfTheServer({ code, detail }: RetryableError): boolean {
  const { scope } = detail
  return scope !== 'account' && scope !== 'mailbox' && !OUR_OWN_CODES.includes(code)
}
