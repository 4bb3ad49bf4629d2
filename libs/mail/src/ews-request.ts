import type { Mail } from './mail-sender.ts'

const SOAP = 'http://schemas.xmlsoap.org/soap/envelope/'
export const TYPES = 'http://schemas.microsoft.com/exchange/services/2006/types'
export const MESSAGES = 'http://schemas.microsoft.com/exchange/services/2006/messages'

/** The header every mail of ours carries; its value is the stamp. */
export const STAMP_HEADER = 'X-Gatehouse-Id'

const STAMP_URI = `<t:ExtendedFieldURI DistinguishedPropertySetId="InternetHeaders" PropertyName="${STAMP_HEADER}" PropertyType="String"/>`

/**
 * CreateItem that sends and keeps a copy in Sent Items. Exchange checks the order of elements against its schema
 * (types.xsd: ItemType before MessageType), so the order here is part of the protocol.
 */
export function createItemRequest(mail: Mail, from: string | undefined): string {
  const sender = from === undefined ? '' : `<t:From><t:Mailbox>${element('t:EmailAddress', from)}</t:Mailbox></t:From>`
  return envelope(
    `<m:CreateItem MessageDisposition="SendAndSaveCopy">` +
      `<m:SavedItemFolderId><t:DistinguishedFolderId Id="sentitems"/></m:SavedItemFolderId>` +
      `<m:Items><t:Message>` +
      element('t:ItemClass', 'IPM.Note') +
      element('t:Subject', mail.subject) +
      `<t:Body BodyType="HTML">${escapeXml(mail.html)}</t:Body>` +
      `<t:ExtendedProperty>${STAMP_URI}${element('t:Value', mail.stamp)}</t:ExtendedProperty>` +
      `<t:ToRecipients><t:Mailbox>${element('t:EmailAddress', mail.to)}</t:Mailbox></t:ToRecipients>` +
      `${sender}</t:Message></m:Items></m:CreateItem>`,
  )
}

/** FindItem in Sent Items, restricted to one stamp. The answer carries the stamps, so that the caller can compare them itself. */
export function findItemRequest(stamp: string, page: { offset: number; entriesMax: number }): string {
  return envelope(
    `<m:FindItem Traversal="Shallow">` +
      `<m:ItemShape><t:BaseShape>IdOnly</t:BaseShape><t:AdditionalProperties>${STAMP_URI}</t:AdditionalProperties></m:ItemShape>` +
      `<m:IndexedPageItemView MaxEntriesReturned="${page.entriesMax}" Offset="${page.offset}" BasePoint="Beginning"/>` +
      `<m:Restriction><t:IsEqualTo>${STAMP_URI}` +
      `<t:FieldURIOrConstant><t:Constant Value="${escapeXml(stamp)}"/></t:FieldURIOrConstant></t:IsEqualTo></m:Restriction>` +
      `<m:ParentFolderIds><t:DistinguishedFolderId Id="sentitems"/></m:ParentFolderIds></m:FindItem>`,
  )
}

/** Text for element content and attribute values. Characters XML 1.0 cannot carry become U+FFFD. */
export function escapeXml(text: string): string {
  return text.toWellFormed().replace(UNSAFE, (character) => ESCAPES[character] ?? '\u{FFFD}')
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: exactly the characters that are no XML 1.0 Char
const UNSAFE = /[<>&"'\r\u0000-\u0008\u000B\u000C\u000E-\u001F\uFFFE\uFFFF]/g
const ESCAPES: Readonly<Record<string, string>> = {
  '<': '&lt;',
  '>': '&gt;',
  '&': '&amp;',
  '"': '&quot;',
  "'": '&#39;',
  '\r': '&#13;',
}

function element(name: string, text: string): string {
  return `<${name}>${escapeXml(text)}</${name}>`
}

function envelope(body: string): string {
  return (
    `<?xml version="1.0" encoding="utf-8"?>` +
    `<soap:Envelope xmlns:soap="${SOAP}" xmlns:t="${TYPES}" xmlns:m="${MESSAGES}">` +
    `<soap:Header><t:RequestServerVersion Version="Exchange2013_SP1"/></soap:Header>` +
    `<soap:Body>${body}</soap:Body></soap:Envelope>`
  )
}
