import { PermanentError, RetryableError } from '@gatehouse/messages'
import { expect, it } from 'vitest'
import { judgeGraphFailure } from './judge-graph-failure.ts'

it('takes Graph for down when it throttles or cannot be reached, for as long as it says', () => {
  expect(judgeGraphFailure(new RetryableError('graph-throttled', 'Throttled (HTTP 429)', { retryAfterMs: 2_128 }))).toEqual({
    reason: 'Throttled (HTTP 429)',
    retryAfterMs: 2_128,
  })
  expect(judgeGraphFailure(new RetryableError('graph-unavailable', 'Down'))).toEqual({
    reason: 'Down',
    retryAfterMs: undefined,
  })
})

it('does not take it for down over anything else', () => {
  expect(judgeGraphFailure(new RetryableError('graph-answer-shrunk', 'Half of them'))).toBeUndefined()
  expect(judgeGraphFailure(new PermanentError('graph-permission-missing', 'Grant it'))).toBeUndefined()
  expect(judgeGraphFailure(new Error('Something else'))).toBeUndefined()
})
