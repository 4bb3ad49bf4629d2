import { RetryableError } from '@gatehouse/messages'

/** The error for what a closed pool does not do any more. */
export function poolClosed(): RetryableError {
  return new RetryableError('runspace-pool-closed', 'The runspace pool is closed', { detail: { mayHaveRun: false } })
}
