import type { DependencyFailure } from '@gatehouse/broker'
import { RetryableError } from '@gatehouse/messages'

/** Whether Graph does not answer, or answers nobody, now. Everything else it says is about one request. */
export function judgeGraphFailure(error: unknown): DependencyFailure | undefined {
  if (!(error instanceof RetryableError)) return undefined
  if (error.code !== 'graph-throttled' && error.code !== 'graph-unavailable') return undefined
  return { reason: error.message, retryAfterMs: error.retryAfterMs }
}
