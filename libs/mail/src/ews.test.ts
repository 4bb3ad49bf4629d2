import { RetryableError } from '@gatehouse/messages'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { classifyConnection, classifyResponseCode, classifyStatus, mailFailureOf } from './classify.ts'
import { createItemRequest, escapeXml, findItemRequest, TYPES } from './ews-request.ts'
import { readEwsAnswer, readFoundStamps } from './read-ews-answer.ts'
import { findElements, readXml } from './read-xml.ts'

const mail = { to: 'a@contoso.com', subject: 'Subject <&>', html: '<p>x</p>', stamp: 'stamp-1' }
const NAMES = `xmlns:m="http://schemas.microsoft.com/exchange/services/2006/messages" xmlns:t="${TYPES}"`
const answer = (body: string) =>
  `<?xml version="1.0"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>${body}</s:Body></s:Envelope>`
const created = (inner: string, responseClass: string) =>
  answer(
    `<m:CreateItemResponse ${NAMES}><m:ResponseMessages><m:CreateItemResponseMessage ResponseClass="${responseClass}">${inner}` +
      `</m:CreateItemResponseMessage></m:ResponseMessages></m:CreateItemResponse>`,
  )
const thrownBy = (source: string): unknown => {
  try {
    readEwsAnswer(source, 'CreateItemResponseMessage')
  } catch (error) {
    return error
  }
  return undefined
}

/** Any UTF-16 there is, half surrogates included. */
const anyText = fc.array(fc.nat(0xffff), { maxLength: 30 }).map((units) => String.fromCharCode(...units))

describe('CreateItem', () => {
  it('has the elements of a message in the order of the schema', () => {
    const [message] = findElements(readXml(createItemRequest(mail, 'from@contoso.com'), 100_000), TYPES, 'Message')

    expect(message?.children.map((child) => child.name)).toEqual([
      'ItemClass',
      'Subject',
      'Body',
      'ExtendedProperty',
      'ToRecipients',
      'From',
    ])
  })

  it('sends, keeps a copy in Sent Items and carries the stamp as an internet header', () => {
    const request = createItemRequest(mail, undefined)

    expect(request).toContain(
      '<m:CreateItem MessageDisposition="SendAndSaveCopy"><m:SavedItemFolderId><t:DistinguishedFolderId Id="sentitems"/>',
    )
    expect(request).toContain(
      'DistinguishedPropertySetId="InternetHeaders" PropertyName="X-Gatehouse-Id" PropertyType="String"',
    )
    expect(request).toContain('<t:RequestServerVersion Version="Exchange2013_SP1"/>')
  })

  it('carries any text to the other side, less the characters XML cannot hold', () => {
    fc.assert(
      fc.property(anyText, (html) => {
        const root = readXml(createItemRequest({ ...mail, html, subject: html }, undefined), 1_000_000)
        const [body] = findElements(root, TYPES, 'Body')
        // biome-ignore lint/suspicious/noControlCharactersInRegex: exactly the characters that are no XML 1.0 Char
        const expected = html.toWellFormed().replace(/[\u0000-\u0008\u000B\u000C\u000E-\u001F\uFFFE\uFFFF]/g, '\u{FFFD}')

        expect(body?.text).toBe(expected)
      }),
    )
  })

  it('restricts FindItem to the stamp before it names the folder', () => {
    const request = findItemRequest('a"b', { offset: 200, entriesMax: 100 })

    expect(request).toMatch(
      /<m:ItemShape>.*<m:IndexedPageItemView MaxEntriesReturned="100" Offset="200".*<m:Restriction>.*<m:ParentFolderIds>/,
    )
    expect(request).toContain(`<t:Constant Value="${escapeXml('a"b')}"/>`)
  })
})

describe('reading an answer', () => {
  it('takes a success', () => {
    expect(thrownBy(created('<m:ResponseCode>NoError</m:ResponseCode>', 'Success'))).toBeUndefined()
  })

  it('believes the response class, whatever the code says', () => {
    expect(thrownBy(created('<m:ResponseCode>NoError</m:ResponseCode>', 'Error'))).toMatchObject({ code: 'ews-no-error' })
    expect(thrownBy(created('<m:ResponseCode>ErrorSendAsDenied</m:ResponseCode>', 'Warning'))).toMatchObject({
      name: 'PermanentError',
      code: 'ews-error-send-as-denied',
      detail: { scope: 'account', sent: 'no' },
    })
  })

  it('waits exactly the back-off of a fault, which is in the types namespace', () => {
    const error = thrownBy(
      answer(
        `<s:Fault><faultcode xmlns:a="${TYPES}">a:ErrorServerBusy</faultcode><faultstring>busy</faultstring><detail>` +
          `<e:ResponseCode xmlns:e="http://schemas.microsoft.com/exchange/services/2006/errors">ErrorServerBusy</e:ResponseCode>` +
          `<t:MessageXml xmlns:t="${TYPES}"><t:Value Name="BackOffMilliseconds">297749</t:Value></t:MessageXml></detail></s:Fault>`,
      ),
    )

    expect(error).toBeInstanceOf(RetryableError)
    expect(error).toMatchObject({ code: 'ews-error-server-busy', retryAfterMs: 297_749, detail: { sent: 'no' } })
  })

  it('waits exactly the back-off of a response message, which is in the messages namespace, inside another error too', () => {
    const error = thrownBy(
      created(
        `<m:MessageText>x</m:MessageText><m:ResponseCode>ErrorInternalServerError</m:ResponseCode>` +
          `<m:MessageXml><t:Value Name="InnerErrorResponseCode">ErrorServerBusy</t:Value><t:Value Name="BackOffMilliseconds">1500</t:Value></m:MessageXml>`,
        'Error',
      ),
    )

    expect(error).toMatchObject({ name: 'RetryableError', retryAfterMs: 1_500, detail: { sent: 'no' } })
  })

  it('does not know whether a mail went out when the answer cannot be read', () => {
    const success = created('<m:ResponseCode>NoError</m:ResponseCode>', 'Success')
    const unreadable = ['', 'text', success.slice(0, -20), answer(''), `<!DOCTYPE x [<!ENTITY a "b">]>${success.slice(21)}`]

    for (const source of unreadable) {
      expect(thrownBy(source)).toMatchObject({ code: 'ews-answer-unreadable', detail: { sent: 'maybe' } })
    }
  })

  it('never fails in any other way', () => {
    fc.assert(
      fc.property(anyText, fc.nat(200), (noise, at) => {
        const source = created('<m:ResponseCode>NoError</m:ResponseCode>', 'Success')
        const error = thrownBy(source.slice(0, at) + noise + source.slice(at))

        expect(error === undefined || error instanceof RetryableError).toBe(true)
      }),
    )
  })

  it('reads the stamps of a page and where the next one begins', () => {
    const item = (name: string, value: string) =>
      `<t:Message><t:ItemId Id="1"/><t:ExtendedProperty><t:ExtendedFieldURI DistinguishedPropertySetId="InternetHeaders" ` +
      `PropertyName="${name}" PropertyType="String"/><t:Value>${value}</t:Value></t:ExtendedProperty></t:Message>`
    const page = (attributes: string) =>
      answer(
        `<m:FindItemResponse ${NAMES}><m:ResponseMessages><m:FindItemResponseMessage ResponseClass="Success"><m:ResponseCode>NoError` +
          `</m:ResponseCode><m:RootFolder ${attributes}><t:Items>${item('x-gatehouse-id', 'one')}${item('X-Other', 'two')}</t:Items>` +
          `</m:RootFolder></m:FindItemResponseMessage></m:ResponseMessages></m:FindItemResponse>`,
      )
    const read = (attributes: string) => readFoundStamps(readEwsAnswer(page(attributes), 'FindItemResponseMessage'))

    expect(read('IncludesLastItemInRange="true"')).toEqual({ stamps: ['one'], nextOffset: undefined })
    expect(read('IncludesLastItemInRange="false" IndexedPagingOffset="200"')).toEqual({ stamps: ['one'], nextOffset: 200 })
  })
})

describe('reading XML', () => {
  it('refuses documents that are too long or too deep', () => {
    expect(() => readXml(`<a>${'x'.repeat(100)}</a>`, 50)).toThrow(/more than 50/)
    expect(() => readXml('<a>'.repeat(100) + '</a>'.repeat(100), 10_000)).toThrow(/deeper/)
  })
})

describe('classification', () => {
  it('tells a failure of the account from one of the recipient', () => {
    expect(mailFailureOf(classifyResponseCode('ErrorPasswordExpired', ''))).toEqual({
      scope: 'account',
      sent: 'no',
      permanent: true,
    })
    expect(mailFailureOf(classifyResponseCode('ErrorInvalidRecipients', ''))).toEqual({
      scope: 'recipient',
      sent: 'no',
      permanent: true,
    })
  })

  it('tries an unknown code again, and looks before it does', () => {
    expect(mailFailureOf(classifyResponseCode('ErrorOfTomorrow', ''))).toEqual({
      scope: 'server',
      sent: 'maybe',
      permanent: false,
    })
    expect(mailFailureOf(new Error('other'))).toEqual({ scope: 'server', sent: 'maybe', permanent: false })
  })

  it('maps statuses without an EWS answer', () => {
    expect([401, 403, 404].map((status) => classifyStatus(status, undefined).name)).toEqual(Array(3).fill('PermanentError'))
    expect(classifyStatus(503, 5_000)).toMatchObject({ code: 'ews-http-503', retryAfterMs: 5_000, detail: { sent: 'maybe' } })
    expect(classifyStatus(302, undefined)).toMatchObject({ name: 'RetryableError', code: 'ews-http-302' })
  })

  it('knows that a server that was never reached has taken nothing', () => {
    const failed = (code: string) => mailFailureOf(classifyConnection(Object.assign(new Error('x'), { code })))

    expect(failed('ECONNREFUSED')).toEqual({ scope: 'server', sent: 'no', permanent: false })
    expect(failed('UND_ERR_SOCKET')).toEqual({ scope: 'server', sent: 'maybe', permanent: false })
    expect(failed('SELF_SIGNED_CERT_IN_CHAIN')).toEqual({ scope: 'account', sent: 'no', permanent: true })
  })
})
