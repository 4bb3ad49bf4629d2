import { PermanentError, RetryableError } from '@gatehouse/messages'
import { isDatabaseUnreachable } from './is-database-unreachable.ts'

/** By SQLSTATE (postgresql.org/docs/current/errcodes-appendix.html): what an administrator puts right, and how. */
const REFUSALS: Readonly<Record<string, readonly [code: string, wayOut: string]>> = {
  '28P01': ['database-login-refused', 'put the password of this user into database.url or the file of database.urlFile'],
  '28000': ['database-login-refused', 'check the user in database.url or database.urlFile, and pg_hba.conf'],
  '3D000': ['database-missing', 'create it, or correct database.url or database.urlFile'],
  '42501': ['database-rights-missing', 'let Gatehouse’s user own the database, or grant it what is missing'],
}

/**
 * What an administrator can do about a failure of the database: PermanentError `database-login-refused`, `database-missing`,
 * `database-rights-missing`, or RetryableError `database-unreachable`. Anything else is given back as it is.
 */
export function classifyDatabaseFailure(error: unknown): unknown {
  if (!(error instanceof Error)) return error
  const refusal = REFUSALS['code' in error ? String(error.code) : '']
  if (refusal !== undefined) return new PermanentError(refusal[0], `PostgreSQL: ${error.message}; ${refusal[1]}`)
  if (!isDatabaseUnreachable(error)) return error
  return new RetryableError('database-unreachable', 'PostgreSQL cannot be reached', { cause: error })
}
