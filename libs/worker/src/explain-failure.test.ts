import { PermanentError, RetryableError } from '@gatehouse/messages'
import { describe, expect, it } from 'vitest'
import { exitCodeOf } from './exit-code-of.ts'
import { explainFailure } from './explain-failure.ts'

describe('the words for a failure', () => {
  it('name what it came from, once, also when that is only a code', () => {
    const refused = Object.assign(new AggregateError([]), { code: 'ECONNREFUSED' })
    const away = new RetryableError('broker-unreachable', 'Cannot reach RabbitMQ', { cause: refused })

    expect(explainFailure(new RetryableError('x', `Not in time: ${away.message}`, { cause: away }))).toBe(
      'Not in time: Cannot reach RabbitMQ: ECONNREFUSED',
    )
  })

  it('do not say twice what a code has said', () => {
    const cause = Object.assign(new Error("ENOENT: no such file, open 'a'"), { code: 'ENOENT' })

    expect(explainFailure(new PermanentError('secret-unreadable', 'a cannot be read: ENOENT', { cause }))).toBe(
      'a cannot be read: ENOENT',
    )
  })

  it('are one line for a list of problems', () => {
    expect(explainFailure(new PermanentError('settings-invalid', '2 problems in a.yaml\n  b: 1\n  c: 2'))).toBe(
      '2 problems in a.yaml: b: 1 | c: 2',
    )
  })

  it('are none for a defect', () => {
    expect(explainFailure(new TypeError('x is not a function'))).toBeUndefined()
  })
})

describe('exit codes', () => {
  it('is 2 for wrong usage or settings, 3 for a dependency out of reach, 1 for the rest', () => {
    expect(exitCodeOf(new PermanentError('settings-invalid', 'x'))).toBe(2)
    expect(exitCodeOf(new PermanentError('graph-insecure', 'x'))).toBe(2)
    expect(exitCodeOf(new RetryableError('control-unreachable', 'x'))).toBe(3)
    expect(exitCodeOf(new PermanentError('control-refused', 'x'))).toBe(1)
    expect(exitCodeOf(new TypeError('x'))).toBe(1)
  })
})
