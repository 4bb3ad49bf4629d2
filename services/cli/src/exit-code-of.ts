import { PermanentError, RetryableError } from '@gatehouse/messages'

const USAGE_CODES: ReadonlySet<string> = new Set([
  'usage',
  'settings-invalid',
  'settings-unreadable',
  'control-unknown',
  'token-unreadable',
  'secret-unreadable',
])

/** 1: the thing failed. 2: wrong usage or settings. 3: a dependency cannot be reached. (0 is no error at all.) */
export function exitCodeOf(error: unknown): 1 | 2 | 3 {
  if (error instanceof PermanentError) return USAGE_CODES.has(error.code) ? 2 : 1
  return error instanceof RetryableError ? 3 : 1
}
