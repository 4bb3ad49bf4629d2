import { done, later, PermanentError, RetryableError } from '@gatehouse/messages'
import { describe, expect, it } from 'vitest'
import { type Ending, planOutcome } from './plan-outcome.ts'

const policy = { maxAttempts: 3, laterAgeMsMax: 10_000, backoffBaseMs: 250, backoffCapMs: 60_000, unknownDelayMs: 8_000 }
const plan = (ending: Ending, facts: { attempt?: number; waitingSinceMs?: number } = {}, random = 1) =>
  planOutcome(ending, { attempt: 1, waitingSinceMs: undefined, ...facts }, policy, { ms: 100_000, random: () => random })
const threw = (error: unknown): Ending => ({ kind: 'threw', error })

describe('what becomes of a delivery', () => {
  it('is acknowledged when it is done', () => {
    expect(plan({ kind: 'answered', outcome: done })).toEqual({ kind: 'acknowledge' })
  })

  it('waits as long as the handler asked, without having failed', () => {
    const verdict = plan({ kind: 'answered', outcome: later(700, 'brake') })

    expect(verdict).toEqual({ kind: 'delay', delayMs: 700, reason: 'brake', failure: undefined })
  })

  it('does not wait for ever', () => {
    const ending: Ending = { kind: 'answered', outcome: later(700, 'brake') }

    expect(plan(ending, { waitingSinceMs: 90_001 })).toMatchObject({ kind: 'delay' })
    expect(plan(ending, { waitingSinceMs: 90_000 })).toMatchObject({
      kind: 'deadLetter',
      reason: 'waited-too-long',
      failure: { code: 'brake' },
    })
  })

  it('is tried again after a random part of a doubling delay', () => {
    const error = new RetryableError('busy', 'Busy')

    expect(plan(threw(error), { attempt: 1 })).toMatchObject({ kind: 'delay', delayMs: 250, failure: { code: 'busy' } })
    expect(plan(threw(error), { attempt: 2 })).toMatchObject({ delayMs: 500 })
    expect(plan(threw(error), { attempt: 2 }, 0.1)).toMatchObject({ delayMs: 50 })
  })

  it('is tried again when the other side asked for it', () => {
    expect(plan(threw(new RetryableError('throttled', 'Slow down', { retryAfterMs: 31_500 })))).toMatchObject({
      delayMs: 31_500,
    })
  })

  it('treats anything else thrown as something that may pass', () => {
    expect(plan(threw(new TypeError('x is not a function')))).toMatchObject({
      kind: 'delay',
      failure: { code: 'unexpected-error', errorClass: 'TypeError', message: 'x is not a function' },
    })
    expect(plan(threw('a string'))).toMatchObject({ kind: 'delay', failure: { errorClass: 'string', message: 'a string' } })
  })

  it('is dead when its attempts are used up, and keeps the code of the last failure', () => {
    expect(plan(threw(new RetryableError('busy', 'Busy')), { attempt: 3 })).toMatchObject({
      kind: 'deadLetter',
      reason: 'attempts-exhausted',
      failure: { code: 'busy' },
    })
  })

  it('is dead at once when it would always fail', () => {
    expect(plan(threw(new PermanentError('no-such-mailbox', 'Gone')))).toMatchObject({
      kind: 'deadLetter',
      reason: 'no-such-mailbox',
    })
  })

  it('is dead at once when it is malformed, with what is wrong', () => {
    expect(plan({ kind: 'malformed', problem: 'Not valid', issues: '[]' })).toMatchObject({
      kind: 'deadLetter',
      reason: 'malformed',
      issues: '[]',
    })
  })

  it('waits for a build that knows it', () => {
    expect(plan({ kind: 'unknown', reason: 'newer-version' }, {}, 0)).toMatchObject({
      kind: 'delay',
      delayMs: 4_000,
      reason: 'newer-version',
      failure: undefined,
    })
  })

  it('goes back without costing an attempt when our stop cut it short', () => {
    expect(plan({ kind: 'interrupted' }, { attempt: 3 })).toEqual({ kind: 'giveBack' })
  })
})
