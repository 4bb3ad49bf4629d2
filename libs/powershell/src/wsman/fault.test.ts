import { describe, expect, test } from 'vitest'
import { createFault, faultError, readLoadQuotaMs, saysTooManyShells } from './fault.ts'

const PREFIX =
  '[ClientAccessServer=EX1,BackEndServer=ex1.contoso.com,RequestId=8feccdea-493c-4c12-85dd-d185232cc0be,TimeStamp=1/2/2026 3:04:05 AM] '

function errorFor(code: number, message: string) {
  return faultError(createFault({ code, subcode: 'InternalError', machine: 'ex1', message }), true)
}

describe('how long Exchange says to stay away', () => {
  test.each<[string, string, number]>([
    [
      '2010, of the user',
      'The WS-Management service cannot process the request. The user load quota of 1000 requests per 2 seconds has been exceeded. Send future requests at a slower rate or raise the quota for this user. The next request from this user will not be approved for at least 2 milliseconds.',
      2,
    ],
    [
      '2010, of the system',
      'The WS-Management service cannot process the request. The system load quota of 1000 requests per 2 seconds has been exceeded. Send future requests at a slower rate or raise the system quota. The next request from this user will not be approved for at least 1521 milliseconds.',
      1_521,
    ],
    [
      '2013, with its prefix',
      `${PREFIX}[FailureCategory=WSMan-Others] The WS-Management service cannot process the request. The user load quota of 1000 requests per 2 seconds has been exceeded. Send future requests at a slower rate or raise the quota for this user. The next request from this user will not be approved for at least 1736 milliseconds.`,
      1_736,
    ],
    [
      '2016, in seconds, when too many runspaces were created',
      '[AuthZRequestId=4cdfc096-304e-49a5-b021-61ea00afd64d][FailureCategory=AuthZ-AuthorizationException] Fail to create runspace because you have exceeded your budget to create runspace. Please wait for 26 seconds. Policy: CN=GlobalThrottlingPolicy_5b1a9400,CN=Global Settings',
      26_000,
    ],
    ['2019, comma', 'will not be approved for at least 12,345 milliseconds', 12_345],
    ['SE, point', 'will not be approved for at least 12.345 milliseconds', 12_345],
    ['apostrophe', "will not be approved for at least 12'345 milliseconds", 12_345],
    ['typographic apostrophe', 'will not be approved for at least 12\u2019345 milliseconds', 12_345],
    ['space', 'will not be approved for at least 12 345 milliseconds', 12_345],
    ['no-break space', 'will not be approved for at least 12\u00a0345 milliseconds', 12_345],
    ['narrow no-break space', 'will not be approved for at least 1\u202f234\u202f567\u00a0milliseconds', 1_234_567],
    ['zero', 'will not be approved for at least 0 milliseconds', 0],
    ['nothing between', 'will not be approved for at least 77milliseconds', 77],
    [
      'an hour at most',
      'The next request from this user will not be approved for at least 1522693632 milliseconds.',
      3_600_000,
    ],
    ['an hour at most, however long', `not be approved for at least ${'9'.repeat(24)} milliseconds`, 3_600_000],
  ])('is read from the text of %s', (_which, message, ms) => {
    expect(readLoadQuotaMs(message)).toBe(ms)
    expect(errorFor(1, message)).toMatchObject({
      name: 'RetryableError',
      code: 'wsman-load-quota',
      retryAfterMs: ms,
      detail: { mayHaveRun: false, shellLost: false },
    })
  })

  test.each([
    'will not be approved for at least a while',
    'will not be approved for at least milliseconds',
    'will not be approved for at least -5 milliseconds',
    `will not be approved for at least ${'9'.repeat(40)} milliseconds`,
  ])('is not read from "%s"', (message) => {
    expect(readLoadQuotaMs(message)).toBeUndefined()
  })

  test.each([2150859175, 2150859176])('is two seconds where code %i comes with words we do not know', (code) => {
    expect(errorFor(code, 'Le quota de charge utilisateur a été dépassé.')).toMatchObject({
      code: 'wsman-load-quota',
      retryAfterMs: 2_000,
    })
  })
})

describe('what Exchange says of too many shells', () => {
  test.each([
    'The WS-Management service cannot process the request. This user is allowed a maximum number of 18 concurrent shells, which has been exceeded. Close existing shells or raise the quota for this user.',
    'This user is allowed a maximum number of 1,000 concurrent shells, which has been exceeded.',
    '[AuthZRequestId=8feccdea][FailureCategory=AuthZ-AuthorizationException] Fail to create a runspace because you have exceeded the maximum number of connections allowed : 3',
    'Fail to create a runspace because you have exceeded the maximum number of connections allowed: 18 for the policy party : MaxConcurrency',
  ])('is understood: %s', (message) => {
    expect(saysTooManyShells(message)).toBe(true)
    expect(errorFor(1, message)).toMatchObject({ name: 'RetryableError', code: 'wsman-shell-quota' })
  })

  test('by its code alone is too', () => {
    expect(errorFor(2150859173, 'x')).toMatchObject({ code: 'wsman-shell-quota', detail: { mayHaveRun: false } })
    expect(errorFor(2150859174, 'x')).toMatchObject({ code: 'wsman-operation-quota', retryAfterMs: 1_000 })
  })
})

describe('the location of a redirection', () => {
  test.each<[string, string | undefined]>([
    [
      'The request needs to be sent to a different machine. Redirect location reported: https://pod5.contoso.com/powershell?PSVersion=3.0 . To connect',
      'https://pod5.contoso.com/powershell?PSVersion=3.0',
    ],
    ['Use https://ex2.contoso.com/PowerShell/.', 'https://ex2.contoso.com/PowerShell/'],
    ['(https://ex2/PowerShell)', 'https://ex2/PowerShell'],
    ['http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd https://ex2/PowerShell/', 'https://ex2/PowerShell/'],
    ['Somewhere else', undefined],
  ])('is found in "%s"', (message, location) => {
    expect(createFault({ code: 2150859161, subcode: '', machine: '', message }).location).toBe(location)
  })
})
