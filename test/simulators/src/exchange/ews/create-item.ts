import { randomUUID } from 'node:crypto'
import { childOf, childrenOf, type XmlElement } from '../read-xml.ts'
import { checkAttribute, checkSequence, invalidChild } from './check-sequence.ts'
import { MESSAGES, TYPES } from './ews-namespaces.ts'
import { type EwsFault, schemaFault, writeErrorMessage } from './ews-response.ts'
import { fieldKeyOf } from './field-key.ts'
import type { SentItem } from './sent-items.ts'

/** MessageType of types.xsd, which extends ItemType: its elements come first. */
const MESSAGE_ORDER =
  'MimeContent ItemId ParentFolderId ItemClass Subject Sensitivity Body Attachments DateTimeReceived Size Categories Importance InReplyTo IsSubmitted IsDraft IsFromMe IsResend IsUnmodified InternetMessageHeaders DateTimeSent DateTimeCreated ResponseObjects ReminderDueBy ReminderIsSet ReminderNextTime ReminderMinutesBeforeStart DisplayCc DisplayTo HasAttachments ExtendedProperty Culture EffectiveRights LastModifiedName LastModifiedTime IsAssociated WebClientReadFormQueryString WebClientEditFormQueryString ConversationId UniqueBody Flag StoreEntryId InstanceKey NormalizedBody EntityExtractionResult PolicyTag ArchiveTag RetentionDate Preview RightsManagementLicenseData Sender ToRecipients CcRecipients BccRecipients IsReadReceiptRequested IsDeliveryReceiptRequested ConversationIndex ConversationTopic From InternetMessageId IsRead IsResponseRequested References ReplyTo ReceivedBy ReceivedRepresenting'.split(
    ' ',
  )
/** Elements the server sets itself. */
const READ_ONLY = [
  'DateTimeReceived',
  'Size',
  'InternetMessageHeaders',
  'DateTimeCreated',
  'DisplayTo',
  'DisplayCc',
  'HasAttachments',
]
const DISPOSITIONS = ['SaveOnly', 'SendOnly', 'SendAndSaveCopy']
const MAILBOX = { namespace: TYPES, names: ['Name', 'EmailAddress', 'RoutingType', 'MailboxType', 'ItemId'] }
const RECIPIENTS_MAX = 500

export type ItemToSend = { item: SentItem; isSent: boolean; isSaved: boolean }

/** Per message what to send, or the error it gets. A fault refuses the whole request. */
export function readCreateItem(
  operation: XmlElement,
  sender: readonly string[],
): { fault: EwsFault } | { results: (ItemToSend | { error: string })[] } {
  const violation =
    checkSequence(operation, { namespace: MESSAGES, names: ['SavedItemFolderId', 'Items'], required: ['Items'] }) ??
    checkFolder(childOf(operation, 'SavedItemFolderId'))
  if (violation !== undefined) return { fault: schemaFault(violation) }
  const disposition = operation.attributes.MessageDisposition
  if (disposition !== undefined && !DISPOSITIONS.includes(disposition)) {
    return { fault: schemaFault(checkAttribute(operation, 'MessageDisposition', DISPOSITIONS) ?? '') }
  }
  const results: (ItemToSend | { error: string })[] = []
  for (const message of childOf(operation, 'Items')?.children ?? []) {
    const problem = checkMessage(message)
    if (problem !== undefined) return { fault: schemaFault(problem) }
    const item = readMessage(message)
    if ('violation' in item) return { fault: schemaFault(item.violation) }
    const error = errorOf(message, item, disposition, sender)
    results.push(
      error === undefined
        ? { item, isSent: disposition !== 'SaveOnly', isSaved: disposition !== 'SendOnly' }
        : { error: writeErrorMessage('CreateItem', ...error) },
    )
  }
  return { results }
}

function checkFolder(folder: XmlElement | undefined): string | undefined {
  if (folder === undefined) return undefined
  const names = ['FolderId', 'DistinguishedFolderId', 'AddressListId']
  const violation = checkSequence(folder, { namespace: TYPES, names })
  const [child] = folder.children
  return (
    violation ?? (child === undefined ? `The element '${folder.name}' has incomplete content.` : checkAttribute(child, 'Id'))
  )
}

function checkMessage(message: XmlElement): string | undefined {
  if (message.name !== 'Message' || message.namespace !== TYPES) return `There is no element '${message.name}' among the items.`
  const violation = checkSequence(message, { namespace: TYPES, names: MESSAGE_ORDER, many: ['ExtendedProperty'] })
  if (violation !== undefined) return violation
  const body = childOf(message, 'Body')
  if (body !== undefined) {
    const [child] = body.children
    if (child !== undefined) return invalidChild(body, child, [])
    const problem = checkAttribute(body, 'BodyType', ['HTML', 'Text'])
    if (problem !== undefined) return problem
  }
  for (const name of ['ToRecipients', 'CcRecipients', 'BccRecipients', 'From', 'ReplyTo', 'Sender']) {
    const list = childOf(message, name)
    if (list === undefined) continue
    const many = name.endsWith('Recipients') || name === 'ReplyTo' ? ['Mailbox'] : []
    const problem =
      checkSequence(list, { namespace: TYPES, names: ['Mailbox'], many }) ??
      list.children.map((mailbox) => checkSequence(mailbox, MAILBOX)).find((each) => each !== undefined)
    if (problem !== undefined) return problem
  }
  const importance = childOf(message, 'Importance')
  if (importance !== undefined && !['Low', 'Normal', 'High'].includes(importance.text)) {
    return `The 'Importance' element is invalid - The value '${importance.text}' is invalid according to its datatype - The Enumeration constraint failed.`
  }
  return undefined
}

function readMessage(message: XmlElement): SentItem | { violation: string } {
  const extended: SentItem['extended'] = new Map()
  for (const property of childrenOf(message, 'ExtendedProperty')) {
    const names = ['ExtendedFieldURI', 'Value', 'Values']
    const violation = checkSequence(property, { namespace: TYPES, names, required: ['ExtendedFieldURI'] })
    const uri = childOf(property, 'ExtendedFieldURI')
    if (violation !== undefined || uri === undefined) return { violation: violation ?? '' }
    const key = fieldKeyOf(uri)
    if ('violation' in key) return key
    extended.set(key.key, { uri: uri.attributes, value: childOf(property, 'Value')?.text ?? '' })
  }
  const body = childOf(message, 'Body')?.text ?? ''
  return {
    id: Buffer.from(randomUUID()).toString('base64'),
    to: ['ToRecipients', 'CcRecipients', 'BccRecipients'].flatMap((name) => addressesOf(childOf(message, name))),
    subject: childOf(message, 'Subject')?.text ?? '',
    body,
    stamp: stampOf(extended),
    at: new Date(),
    extended,
  }
}

function errorOf(
  message: XmlElement,
  item: SentItem,
  disposition: string | undefined,
  sender: readonly string[],
): [code: string, text: string] | undefined {
  if (disposition === undefined) return ['ErrorMessageDispositionRequired', 'Message disposition is required.']
  const readOnly = message.children.find((child) => READ_ONLY.includes(child.name))
  if (readOnly !== undefined) return ['ErrorInvalidPropertySet', 'Set action is invalid for property.']
  if (disposition === 'SaveOnly') return undefined
  if (item.to.length === 0 || item.to.some((address) => !/^[^\s@<>"]+@[^\s@<>"]+$/.test(address))) {
    return ['ErrorInvalidRecipients', 'At least one recipient isn’t valid.']
  }
  if (item.to.length > RECIPIENTS_MAX) return ['ErrorQuotaExceeded', 'The message has too many recipients.']
  const [from] = addressesOf(childOf(message, 'From'))
  if (from !== undefined && !sender.includes(from.toLowerCase())) {
    return [
      'ErrorSendAsDenied',
      'The user account which was used to submit this request does not have the right to send mail on behalf of the specified sending account.',
    ]
  }
  return undefined
}

function addressesOf(list: XmlElement | undefined): string[] {
  return childrenOf(list, 'Mailbox').map((mailbox) => childOf(mailbox, 'EmailAddress')?.text.trim() ?? '')
}

/** Whatever marks the message as one of a kind: a header of the sender's own first, else any extended property. */
function stampOf(extended: SentItem['extended']): string | undefined {
  const header = [...extended].find(([key]) => key.startsWith('InternetHeaders/x-'))
  return (header ?? [...extended][0])?.[1].value
}
