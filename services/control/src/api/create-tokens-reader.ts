import { createSecretReader, readSecret, type Worker } from '@gatehouse/worker'

const TOKENS_MAX = 8

/**
 * The tokens in a file, one a line, read again at each request: while one is changed, the old one stands below the new one.
 * @throws PermanentError `secret-unreadable`
 */
export function createTokensReader(path: string, log: Worker['log']): () => readonly string[] {
  const read = createSecretReader(() => readSecret(path), log)
  return () =>
    read()
      .split('\n')
      .map((line) => line.trim())
      .filter((line) => line !== '')
      .slice(0, TOKENS_MAX)
}
