import { describe, expect, test } from 'vitest'
import { classifyEnd, classifyOpenFailure } from './classify-end.ts'

const end = { op: 'end', id: 1, state: 'failed', prompted: false, tooLarge: false, dropped: 0 } as const
const record = (exceptionType: string, message = 'text') => ({
  ...{ message, exceptionType: `System.Management.Automation.${exceptionType}` },
  ...{ fullyQualifiedErrorId: '', category: 'NotSpecified' },
})

describe('classifyEnd', () => {
  test('leaves the errors of cmdlets to the result', () => {
    expect(classifyEnd({ ...end, state: 'completed' }, undefined, 'Get-Thing')).toBeUndefined()
    expect(classifyEnd(end, record('RemoteException', 'The session is gone'), 'Get-Thing')).toBeUndefined()
  })

  test('knows a broken pool, which takes no more commands', () => {
    const reason = record('Runspaces.InvalidRunspacePoolStateException')

    expect(classifyEnd({ ...end, state: 'refused' }, reason, 'Get-Thing')).toMatchObject({
      ...{ name: 'RetryableError', code: 'runspace-broken', detail: { mayHaveRun: false, shellLost: true } },
    })
    expect(classifyEnd(end, reason, 'Get-Thing')).toMatchObject({
      ...{ name: 'RetryableError', code: 'runspace-broken', detail: { mayHaveRun: true, shellLost: true } },
    })
  })

  test('never takes a result that could not be written for an empty one', () => {
    expect(classifyEnd({ ...end, state: 'unreadable' }, undefined, 'Get-Thing')).toMatchObject({
      ...{ name: 'RetryableError', code: 'powershell-malformed', detail: { mayHaveRun: true } },
    })
  })

  test('knows values that PowerShell does not take, which never ran', () => {
    expect(classifyEnd({ ...end, state: 'refused' }, record('MethodInvocationException'), 'Get-Thing')).toMatchObject({
      ...{ name: 'PermanentError', code: 'value-refused', detail: { mayHaveRun: false } },
    })
  })

  test('knows a question and a stop', () => {
    expect(classifyEnd({ ...end, prompted: true }, undefined, 'Get-Thing')).toMatchObject({ code: 'cmdlet-prompted' })
    expect(classifyEnd({ ...end, state: 'stopped' }, undefined, 'Get-Thing')).toMatchObject({ code: 'cmdlet-stopped' })
  })
})

describe('classifyOpenFailure', () => {
  const transport = (message: string) => record('Remoting.PSRemotingTransportException', message)

  test('knows faults of WSMan by their number, which .NET has signed', () => {
    expect(classifyOpenFailure(5, transport('Access is denied.'))).toMatchObject({ code: 'wsman-access-denied' })
    expect(classifyOpenFailure(2150859173 | 0, transport('too many'))).toMatchObject({ code: 'wsman-shell-quota' })
  })

  test('knows what Exchange says in words', () => {
    const text = 'The next request from this user will not be approved for at least 77 milliseconds.'

    expect(classifyOpenFailure(0, transport(text))).toMatchObject({ code: 'wsman-load-quota', retryAfterMs: 77 })
  })

  test('gives what else there is as worth another try', () => {
    expect(classifyOpenFailure(0, record('CmdletInvocationException'))).toMatchObject({
      ...{ name: 'RetryableError', code: 'powershell-open-failed', detail: { mayHaveRun: false } },
    })
  })
})
