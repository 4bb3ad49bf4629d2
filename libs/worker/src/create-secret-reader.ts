import type { Logger } from './create-logger.ts'
import { explainFailure } from './explain-failure.ts'

/**
 * A secret that is read again each time it is used, so that a changed file needs no restart. While it cannot be read, as in the
 * moment it is replaced, it is what it was.
 * @throws what `read` throws now
 */
export function createSecretReader(read: () => string, log: Pick<Logger, 'warn'>): () => string {
  let known = read()
  return () => {
    try {
      known = read()
    } catch (error) {
      log.warn({ reason: explainFailure(error) }, 'A secret cannot be read; the one that was read before still counts')
    }
    return known
  }
}
