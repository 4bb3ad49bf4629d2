import { PermanentError, RetryableError } from '@gatehouse/messages'
import { describe, expect, it } from 'vitest'
import { judgeExchangeFailure } from './judge-exchange-failure.ts'

const permanent = (detail: Record<string, string | boolean>) => new PermanentError('some-code', 'it failed', { detail })
const retryable = (detail: Record<string, string | boolean>) => new RetryableError('some-code', 'it failed', { detail })

describe('a failed call to Exchange', () => {
  it.each([
    ['an organisation that refuses us', permanent({ scope: 'organization' }), 'pause'],
    ['an account without shells', retryable({ scope: 'account' }), 'pause'],
    ['a mailbox that is gone', permanent({ scope: 'mailbox' }), 'fail'],
    ['a directory that hiccups', retryable({ scope: 'mailbox' }), 'retry'],
    ['a cut connection', retryable({ scope: 'server' }), 'retry'],
    ['something unknown', new Error('what'), 'retry'],
  ])('of %s means: %s', (_name, error, kind) => {
    expect(judgeExchangeFailure(error, 'cmdlet', false).kind).toBe(kind)
  })

  it('is never the fault of one message when it happens while connecting', () => {
    expect(judgeExchangeFailure(retryable({ scope: 'server' }), 'connect', false)).toMatchObject({
      kind: 'pause',
      isNotDone: true,
    })
  })

  it('tells nothing when we were stopped', () => {
    expect(judgeExchangeFailure(retryable({ mayHaveRun: true }), 'cmdlet', true)).toMatchObject({
      kind: 'interrupted',
      isNotDone: false,
    })
  })

  it('leaves open whether it was done, unless the error says that it was not', () => {
    expect(judgeExchangeFailure(retryable({}), 'cmdlet', false).isNotDone).toBe(false)
    expect(judgeExchangeFailure(retryable({ mayHaveRun: false }), 'cmdlet', false).isNotDone).toBe(true)
  })

  it('makes Exchange suspicious when it may not be the message', () => {
    expect(judgeExchangeFailure(retryable({ scope: 'server' }), 'cmdlet', false)).toMatchObject({
      isSuspicious: true,
      isAnswer: false,
    })
    expect(judgeExchangeFailure(retryable({ scope: 'mailbox' }), 'cmdlet', false)).toMatchObject({
      isSuspicious: false,
      isAnswer: true,
    })
  })
})
