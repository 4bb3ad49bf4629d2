import { PermanentError, RetryableError } from '@gatehouse/messages'
import { describe, expect, test } from 'vitest'
import { faultError, isOperationTimeout, isShellGone, readLoadQuotaMs } from './fault.ts'
import { parseResponse } from './response.ts'

function envelope(body: string, header = ''): string {
  return `<s:Envelope xml:lang="en-US" xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing" xmlns:rsp="http://schemas.microsoft.com/wbem/wsman/1/windows/shell" xmlns:w="http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd"><s:Header>${header}</s:Header><s:Body>${body}</s:Body></s:Envelope>`
}

function faultOf(code: number | string, message: string, subcode = 'w:InternalError') {
  const xml = envelope(
    `<s:Fault><s:Code><s:Value>s:Receiver</s:Value><s:Subcode><s:Value>${subcode}</s:Value></s:Subcode></s:Code><s:Reason><s:Text xml:lang="en-US">reason</s:Text></s:Reason>` +
      `<s:Detail><f:WSManFault xmlns:f="http://schemas.microsoft.com/wbem/wsman/1/wsmanfault" Code="${code}" Machine="ex1.contoso.com"><f:Message>${message}</f:Message></f:WSManFault></s:Detail></s:Fault>`,
  )
  const { fault } = parseResponse(xml)
  if (fault === undefined) throw new Error('No fault was found')
  return fault
}

describe('a WSMan response', () => {
  test('gives the streams and the end of a command', () => {
    const xml = envelope(
      '<rsp:ReceiveResponse><rsp:Stream Name="stdout" CommandId="A">QUE=</rsp:Stream><rsp:Stream Name="stdout" CommandId="A" End="true"/>' +
        '<rsp:CommandState CommandId="A" State="http://schemas.microsoft.com/wbem/wsman/1/windows/shell/CommandState/Done"><rsp:ExitCode>0</rsp:ExitCode></rsp:CommandState></rsp:ReceiveResponse>',
      '<a:RelatesTo>uuid:1</a:RelatesTo>',
    )

    expect(parseResponse(xml)).toMatchObject({ relatesTo: 'uuid:1', streams: ['QUE='], isDone: true, fault: undefined })
  })

  test.each([
    '<x:ResourceCreated xmlns:x="http://schemas.xmlsoap.org/ws/2004/09/transfer"><a:Address>u</a:Address><a:ReferenceParameters><w:ResourceURI>r</w:ResourceURI><w:SelectorSet><w:Selector Name="ShellId">S-1</w:Selector></w:SelectorSet></a:ReferenceParameters></x:ResourceCreated>',
    '<rsp:Shell><rsp:ShellId>S-1</rsp:ShellId><rsp:Owner>o</rsp:Owner></rsp:Shell>',
  ])('names the shell that was created', (body) => {
    expect(parseResponse(envelope(body)).shellId).toBe('S-1')
  })

  test.each([
    ['HTML', '<html><body>503</body></html>'],
    ['SOAP 1.1', '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body/></s:Envelope>'],
    ['no body', '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"/>'],
    ['a document type', '<!DOCTYPE a><a/>'],
    ['nothing', ''],
    ['half an envelope', envelope('<rsp:ReceiveResponse>').slice(0, 600)],
  ])('is refused when it is %s', (_what, xml) => {
    expect(() => parseResponse(xml)).toThrow(PermanentError)
  })
})

describe('a WSMan fault', () => {
  test('is read with what Exchange puts into its message', () => {
    const message =
      '[ClientAccessServer=EX1,BackEndServer=ex2.contoso.com,RequestId=0a1b2c3d-1111,TimeStamp=1/2/2026 3:04:05 AM] [FailureCategory=WSMan-InvalidShellID] The request for the Windows Remote Shell with ShellId X failed because the shell was not found on the server.'

    const fault = faultOf(2150858843, message, 'w:InvalidSelectors')

    expect(fault).toEqual({
      code: 2150858843,
      subcode: 'InvalidSelectors',
      machine: 'ex1.contoso.com',
      message,
      failureCategory: 'WSMan-InvalidShellID',
      requestId: '0a1b2c3d-1111',
    })
    expect(isShellGone(fault)).toBe(true)
    expect(faultError(fault, true)).toMatchObject({
      code: 'wsman-shell-not-found',
      detail: { requestId: '0a1b2c3d-1111', mayHaveRun: true, shellLost: true },
    })
  })

  test('reads the text of a provider fault and signed codes', () => {
    const fault = faultOf(
      -2144108135,
      '<f:ProviderFault provider="p" path="q">Go\n to <f:WSManFault Code="1">https://ex2/PowerShell</f:WSManFault></f:ProviderFault>',
    )

    expect(fault).toMatchObject({ code: 2150859161, message: 'Go to https://ex2/PowerShell' })
    expect(faultError(fault, true)).toMatchObject({ code: 'wsman-redirected', detail: { mayHaveRun: false } })
    expect(faultError(fault, true)).toBeInstanceOf(PermanentError)
  })

  test('of an operation that timed out is recognised', () => {
    expect(
      isOperationTimeout(
        faultOf(
          2150858793,
          'The WS-Management service cannot complete the operation within the time specified in OperationTimeout.',
        ),
      ),
    ).toBe(true)
  })

  test.each<[string, number, string, object]>([
    [
      'too many shells, by text',
      0,
      'The WS-Management service cannot process the request. This user is allowed a maximum number of 18 concurrent shells, which has been exceeded.',
      { code: 'wsman-shell-quota' },
    ],
    ['too many shells, by code', 2150859173, 'le nombre maximal de shells', { code: 'wsman-shell-quota' }],
    [
      'too many connections',
      1,
      'Fail to create a runspace because you have exceeded the maximum number of connections allowed: 18 for the policy party : MaxConcurrency',
      { code: 'wsman-shell-quota' },
    ],
    [
      'too much load',
      1,
      'The user load quota of 1000 requests per 2 seconds has been exceeded. Send future requests at a slower rate or raise the quota for this user. The next request from this user will not be approved for at least 1,234 milliseconds.',
      { code: 'wsman-load-quota', retryAfterMs: 1_234, detail: { mayHaveRun: false, shellLost: false } },
    ],
    ['too many operations', 2150859174, 'x', { code: 'wsman-operation-quota', detail: { shellLost: false } }],
    [
      'anything else',
      995,
      'The I/O operation has been aborted',
      { code: 'wsman-fault', detail: { faultCode: 995, mayHaveRun: true, shellLost: true } },
    ],
  ])('for %s is worth another try', (_what, code, message, expected) => {
    const error = faultError(faultOf(code, message), true)

    expect(error).toBeInstanceOf(RetryableError)
    expect(error).toMatchObject(expected)
  })

  test('for refused access is not', () => {
    expect(faultError(faultOf(5, 'Access is denied.'), true)).toMatchObject({
      name: 'PermanentError',
      code: 'wsman-access-denied',
    })
  })

  test('without a waiting time has none', () => {
    expect(readLoadQuotaMs('not be approved for at least a while')).toBeUndefined()
  })
})
