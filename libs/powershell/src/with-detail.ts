import { PermanentError, RetryableError } from '@gatehouse/messages'

/**
 * The same error for whoever knows more of it: class, code, message and wait stay, `detail` is added, and the error itself is the
 * cause. What is none of our two classes is given back as it is.
 */
export function withDetail(error: unknown, detail: Record<string, string | number | boolean>): unknown {
  if (!(error instanceof PermanentError || error instanceof RetryableError)) return error
  const { code, message } = error
  const options = { cause: error, detail: { ...error.detail, ...detail } }
  return error instanceof PermanentError
    ? new PermanentError(code, message, options)
    : new RetryableError(code, message, { ...options, retryAfterMs: error.retryAfterMs })
}
