import { RetryableError } from '@gatehouse/messages'
import { withDetail } from '../with-detail.ts'

/** For a command that waited for a runspace which could not be opened: whatever that failed with, the command never ran. */
export function asNotRun(error: unknown): unknown {
  return error instanceof RetryableError ? withDetail(error, { mayHaveRun: false }) : error
}
