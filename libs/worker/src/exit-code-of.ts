import { PermanentError, RetryableError } from '@gatehouse/messages'

/** What an administrator puts right in the settings, in the files and accounts that they name, or in how the command is called. */
const SETTINGS_CODES: ReadonlySet<string> = new Set([
  'usage',
  'settings-invalid',
  'settings-unreadable',
  'secret-unreadable',
  'graph-address-invalid',
  'graph-insecure',
  'graph-proxy-invalid',
  'health-port-unavailable',
  'api-port-unavailable',
  'control-unknown',
  'token-unreadable',
  'database-login-refused',
  'database-missing',
  'database-rights-missing',
  'broker-login-refused',
  'broker-unauthorized',
  'broker-forbidden',
])

/** How a process of ours that failed ends. 1: the thing failed. 2: wrong settings or usage. 3: a dependency was not reached. */
export function exitCodeOf(error: unknown): 1 | 2 | 3 {
  if (error instanceof PermanentError) return SETTINGS_CODES.has(error.code) ? 2 : 1
  return error instanceof RetryableError ? 3 : 1
}
