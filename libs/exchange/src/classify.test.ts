import { PermanentError, RetryableError } from '@gatehouse/messages'
import type { ErrorRecord } from '@gatehouse/powershell'
import { describe, expect, it } from 'vitest'
import { classify, errorOfRecord, type Fault, toExchangeError } from './classify.ts'
import { FAULT_TABLE } from './fault-table.ts'

const fault = (fields: Partial<Fault>): Fault => ({ origin: 'engine', message: '', ...fields })

const CASES: [string, Fault, string, 'retryable' | 'permanent'][] = [
  ['a proxy that wants other credentials', fault({ engineCode: 'proxy-refused' }), 'exchange-proxy-refused', 'permanent'],
  ['a proxy that is gone', fault({ engineCode: 'proxy-unreachable' }), 'exchange-unreachable', 'retryable'],
  ['a PowerShell that is not there', fault({ engineCode: 'powershell-not-found' }), 'powershell-unusable', 'permanent'],
  ['a PowerShell that died', fault({ engineCode: 'powershell-exited' }), 'exchange-connection-lost', 'retryable'],
  ['the 19th shell by its code', fault({ faultCode: '2150859173' }), 'exchange-shells-exhausted', 'retryable'],
  [
    'the 19th shell by its text',
    fault({ message: 'This user is allowed a maximum number of 18 concurrent shells, which has been exceeded.' }),
    'exchange-shells-exhausted',
    'retryable',
  ],
  [
    'the 19th shell as Exchange 2019 words it',
    fault({
      message:
        'Fail to create a runspace because you have exceeded the maximum number of connections allowed: 18 for the policy party : MaxConcurrency',
    }),
    'exchange-shells-exhausted',
    'retryable',
  ],
  ['a budget that is used up', fault({ engineCode: 'runspace-lease-unavailable' }), 'shell-budget-exhausted', 'retryable'],
  ['too many operations', fault({ faultCode: '2150859174' }), 'exchange-operations-exhausted', 'retryable'],
  [
    'the load quota',
    fault({
      message:
        'The user load quota of 1000 requests per 2 seconds has been exceeded. The next request from this user will not be approved for at least 3125 milliseconds.',
    }),
    'exchange-load-quota',
    'retryable',
  ],
  [
    'a shell that is gone',
    fault({ message: '[ClientAccessServer=EX1] [FailureCategory=WSMan-InvalidShellID] The shell was not found on the server' }),
    'exchange-shell-lost',
    'retryable',
  ],
  ['a refused password', fault({ httpStatus: 401 }), 'exchange-authentication-failed', 'permanent'],
  ['an account without the right', fault({ faultCode: '5' }), 'exchange-access-denied', 'permanent'],
  ['a wrong path', fault({ httpStatus: 404 }), 'exchange-endpoint-wrong', 'permanent'],
  [
    'a certificate of nobody',
    fault({ transportCode: 'DEPTH_ZERO_SELF_SIGNED_CERT' }),
    'exchange-certificate-untrusted',
    'permanent',
  ],
  ['a dead server', fault({ transportCode: 'ECONNREFUSED' }), 'exchange-unreachable', 'retryable'],
  ['a balancer without servers', fault({ httpStatus: 503 }), 'exchange-unavailable', 'retryable'],
  ['a cut connection', fault({ transportCode: 'ECONNRESET' }), 'exchange-connection-lost', 'retryable'],
  ['a hidden cmdlet', fault({ fullyQualifiedErrorId: 'CommandNotFoundException' }), 'cmdlet-not-permitted', 'permanent'],
  [
    'a hidden parameter',
    fault({ fullyQualifiedErrorId: 'NamedParameterNotFound,Set-CASMailbox' }),
    'parameter-not-permitted',
    'permanent',
  ],
  ['script text', fault({ fullyQualifiedErrorId: 'ScriptsNotAllowed' }), 'script-refused', 'permanent'],
  [
    'a full directory object',
    fault({ message: 'The administrative limit for this request was exceeded.' }),
    'administrative-limit-exceeded',
    'permanent',
  ],
  [
    'a mailbox that is gone',
    fault({ fullyQualifiedErrorId: '[FailureCategory=Cmdlet-ManagementObjectNotFoundException] 9FFE4C3D,Get-CASMailbox' }),
    'exchange-object-not-found',
    'permanent',
  ],
  [
    'an ambiguous name',
    fault({ exceptionType: 'Microsoft.Exchange.Configuration.Tasks.ManagementObjectAmbiguousException' }),
    'exchange-object-ambiguous',
    'permanent',
  ],
  [
    'a directory that hiccups',
    fault({ exceptionType: 'Microsoft.Exchange.Data.Directory.ADTransientException' }),
    'exchange-directory-busy',
    'retryable',
  ],
]

describe('the table of faults', () => {
  it.each(CASES)('knows %s', (_name, given, code, kind) => {
    expect(classify(given)).toMatchObject({ code, kind })
  })

  it('has a case for every row, and a source', () => {
    const tried = new Set(CASES.map(([, , code]) => code))
    expect(FAULT_TABLE.filter((row) => !tried.has(row.code) || row.source === '')).toEqual([])
  })

  it('believes a code before a text', () => {
    expect(classify(fault({ faultCode: '2150859174', message: 'The shell was not found' }))?.code).toBe(
      'exchange-operations-exhausted',
    )
  })

  it('waits exactly as long as Exchange asks for', () => {
    const message =
      'The user load quota of 10 requests per 1 seconds has been exceeded … will not be approved for at least 3125 milliseconds'
    expect(classify(fault({ message }))?.retryAfterMs).toBe(3125)
  })

  it('does not know everything', () => {
    expect(classify(fault({ message: 'Something new' }))).toBeUndefined()
  })
})

const record = (fields: Partial<ErrorRecord>): ErrorRecord => ({
  message: 'It failed',
  fullyQualifiedErrorId: '',
  category: '',
  exceptionType: '',
  ...fields,
})

describe('errors', () => {
  it('of a cmdlet say that nothing was done', () => {
    expect(errorOfRecord(record({}), 'Set-CASMailbox')).toMatchObject({
      code: 'exchange-cmdlet-failed',
      detail: { scope: 'mailbox', mayHaveRun: false },
    })
  })

  it('of the engine keep whether the cmdlet may have run, and their cause', () => {
    const cause = new RetryableError('wsman-connection-lost', 'cut', { detail: { mayHaveRun: true } })
    const error = toExchangeError(cause, 'Set-CASMailbox')

    expect(error).toBeInstanceOf(RetryableError)
    expect(error).toMatchObject({ code: 'exchange-connection-lost', cause, detail: { mayHaveRun: true, scope: 'server' } })
  })

  it('of the network are found down the chain of causes', () => {
    const refused = Object.assign(new Error('connect'), { code: 'ECONNREFUSED' })
    const error = toExchangeError(new RetryableError('wsman-x', 'no', { cause: new Error('fetch', { cause: refused }) }), 'x')

    expect(error).toMatchObject({ code: 'exchange-unreachable', detail: { scope: 'organization' } })
  })

  it('nobody knows come out as they went in', () => {
    const strange = new PermanentError('psrp-malformed', 'What is this')
    const aborted = new DOMException('stop', 'AbortError')

    expect(toExchangeError(strange, 'x')).toBe(strange)
    expect(toExchangeError(aborted, 'x')).toBe(aborted)
  })
})
