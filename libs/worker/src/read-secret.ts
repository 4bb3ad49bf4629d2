import { readFileSync } from 'node:fs'
import { PermanentError } from '@gatehouse/messages'

/** As much as a file of all public certificate authorities. */
const SECRET_BYTES_MAX = 524_288

/**
 * The secret in a file, without one newline at its end.
 * @throws PermanentError `secret-unreadable` when the file cannot be read, is empty or is too big to be a secret. It names the path only.
 */
export function readSecret(path: string): string {
  const content = readContent(path).replace(/\r?\n$/, '')
  if (content === '') throw new PermanentError('secret-unreadable', `The secret file ${path} is empty`)
  if (Buffer.byteLength(content) > SECRET_BYTES_MAX) {
    throw new PermanentError('secret-unreadable', `The secret file ${path} holds more than ${SECRET_BYTES_MAX} bytes`)
  }
  return content
}

function readContent(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? 'unknown error'
    throw new PermanentError('secret-unreadable', `The secret file ${path} cannot be read: ${code}`, { cause })
  }
}
