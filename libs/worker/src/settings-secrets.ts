import { join } from 'node:path'
import { PermanentError } from '@gatehouse/messages'
import type { Logger } from './create-logger.ts'
import { createSecretReader } from './create-secret-reader.ts'
import { readSecret } from './read-secret.ts'
import type { Settings } from './settings-schema.ts'

/**
 * The URL of the database, from `database.url` or from the file named by `database.urlFile`.
 * @throws PermanentError `secret-unreadable`
 */
export function databaseUrlOf(settings: Settings): string {
  const { url, urlFile } = settings.database
  if (url !== undefined) return url
  if (urlFile === undefined) throw new PermanentError('settings-invalid', 'Neither database.url nor database.urlFile is set')
  const read = readSecret(urlFile)
  if (/^postgres(ql)?:$/.test(URL.parse(read)?.protocol ?? '')) return read
  throw new PermanentError('secret-unreadable', `The secret file ${urlFile} does not hold a postgres URL`)
}

/**
 * Who this worker is at the broker: its own user with the password of its file, or the user in the URL where
 * `broker.usersPasswordDirectory` is not set. The password is read again for each connection.
 * @throws PermanentError `secret-unreadable`
 */
export function brokerCredentialsOf(
  settings: Settings,
  worker: string,
  log: Pick<Logger, 'warn'>,
): { url: string; user?: string; password?: () => string } {
  const { url, usersPasswordDirectory, userPrefix } = settings.broker
  if (usersPasswordDirectory === undefined) return { url }
  const user = `${userPrefix}${worker}`
  const path = join(usersPasswordDirectory, user)
  return { url, user, password: createSecretReader(() => readSecret(path), log) }
}

/** The virtual host in the URL of the broker. */
export function vhostOf({ broker }: Settings): string {
  return decodeURIComponent(new URL(broker.url).pathname.slice(1)) || '/'
}
