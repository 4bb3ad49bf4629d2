import { describe, expect, test } from 'vitest'
import { notOpened } from './broken-pool.ts'

describe('a runspace pool that the server broke', () => {
  test.each([
    ['This user is allowed a maximum number of 18 concurrent shells, which has been exceeded.', 'wsman-shell-quota', undefined],
    [
      'Fail to create runspace because you have exceeded your budget to create runspace. Please wait for 26 seconds.',
      'wsman-load-quota',
      26_000,
    ],
    ['The session was closed.', 'runspace-broken', undefined],
  ])('by %j is %s', (message, code, retryAfterMs) => {
    expect(notOpened(message, undefined)).toMatchObject({ code, retryAfterMs, detail: { mayHaveRun: true, shellLost: true } })
  })
})
