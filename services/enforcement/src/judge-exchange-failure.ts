import { PermanentError, RetryableError } from '@gatehouse/messages'

/**
 * What a failed call to Exchange means for the message. `pause`: nobody's message can succeed now. `fail`: this one never
 * will. `retry`: this one may, next time. `interrupted`: we were stopped, nothing is known.
 */
export type FailureVerdict = {
  kind: 'pause' | 'fail' | 'retry' | 'interrupted'
  code: string
  message: string
  /** It is certain that Exchange did not do it. */
  isNotDone: boolean
  /** Counts towards taking Exchange for down. */
  isSuspicious: boolean
  /** Exchange itself has answered, if only to refuse this one. */
  isAnswer: boolean
  askedMs: number
}

/** `during`: what failed. Failing to connect is never one message's own fault. */
export function judgeExchangeFailure(error: unknown, during: 'connect' | 'cmdlet', isAborted: boolean): FailureVerdict {
  if (!(error instanceof PermanentError || error instanceof RetryableError))
    return {
      kind: isAborted ? 'interrupted' : 'retry',
      code: isAborted ? 'interrupted' : 'unexpected',
      message: error instanceof Error ? error.message : String(error),
      isNotDone: during === 'connect',
      isSuspicious: false,
      isAnswer: false,
      askedMs: 0,
    }
  const scope = error.detail['scope']
  const isCommon = during === 'connect' || scope === 'organization' || scope === 'account'
  const kind = isAborted ? 'interrupted' : isCommon ? 'pause' : error instanceof PermanentError ? 'fail' : 'retry'
  return {
    kind,
    code: error.code,
    message: error.message.slice(0, 1_000),
    isNotDone: during === 'connect' || error.detail['mayHaveRun'] === false || error.detail['sent'] === false,
    isSuspicious: kind === 'retry' && scope !== 'mailbox',
    isAnswer: kind !== 'interrupted' && kind !== 'pause' && scope === 'mailbox',
    askedMs: error instanceof RetryableError ? (error.retryAfterMs ?? 0) : 0,
  }
}
