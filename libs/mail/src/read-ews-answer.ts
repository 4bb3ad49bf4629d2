import { classifyResponseCode, unreadableAnswer } from './classify.ts'
import { MESSAGES, STAMP_HEADER, TYPES } from './ews-request.ts'
import { findElements, readXml, type XmlElement } from './read-xml.ts'

const SOAP = 'http://schemas.xmlsoap.org/soap/envelope/'
const ERRORS = 'http://schemas.microsoft.com/exchange/services/2006/errors'
const CHARACTERS_MAX = 4_000_000

/**
 * The one response message of an EWS answer, given that it says success.
 * @throws PermanentError | RetryableError for a fault, for a response of another class, and for what is not an EWS answer.
 */
export function readEwsAnswer(source: string, name: 'CreateItemResponseMessage' | 'FindItemResponseMessage'): XmlElement {
  const root = parse(source)
  const [fault] = findElements(root, SOAP, 'Fault')
  if (fault !== undefined) throw faultError(fault)
  const messages = findElements(root, MESSAGES, name)
  const [message] = messages
  if (message === undefined || messages.length > 1) throw unreadableAnswer(new Error(`${messages.length} times ${name}`))
  const code = textOf(message, MESSAGES, 'ResponseCode')
  // The class decides: Microsoft's own guide reads the code only to explain a class other than Success.
  if (message.attributes.ResponseClass === 'Success') return message
  throw classifyResponseCode(code || 'no response code', textOf(message, MESSAGES, 'MessageText'), backOffOf(message))
}

/** A page of a FindItem answer: the stamps of its items and where the next page begins (undefined: this was the last). */
export function readFoundStamps(message: XmlElement): { stamps: string[]; nextOffset: number | undefined } {
  const [folder] = findElements(message, MESSAGES, 'RootFolder')
  if (folder === undefined) throw unreadableAnswer(new Error('FindItem without a RootFolder'))
  const stamps = findElements(folder, TYPES, 'ExtendedProperty')
    .filter(isStamp)
    .map((property) => textOf(property, TYPES, 'Value'))
  const last = folder.attributes.IncludesLastItemInRange !== 'false'
  const offset = Number(folder.attributes.IndexedPagingOffset)
  if (!last && !Number.isSafeInteger(offset)) throw unreadableAnswer(new Error('FindItem without an offset of the next page'))
  return { stamps, nextOffset: last ? undefined : offset }
}

/** Whether an answer is a SOAP document at all; a proxy or IIS answers HTML. */
export function looksLikeSoap(source: string): boolean {
  return /<(?:[\w.-]+:)?Envelope[\s>]/.test(source.slice(0, 1_000))
}

function parse(source: string): XmlElement {
  try {
    return readXml(source, CHARACTERS_MAX)
  } catch (error) {
    throw unreadableAnswer(error)
  }
}

function faultError(fault: XmlElement): Error {
  const text = textOf(fault, ERRORS, 'Message') || childText(fault, 'faultstring')
  const code = textOf(fault, ERRORS, 'ResponseCode') || childText(fault, 'faultcode').replace(/^.*:/, '')
  return classifyResponseCode(code || 'fault', text, backOffOf(fault))
}

/** Faults carry the back-off in the types namespace, response messages its parent in the messages namespace. */
function backOffOf(element: XmlElement): number | undefined {
  const parents = [...findElements(element, TYPES, 'MessageXml'), ...findElements(element, MESSAGES, 'MessageXml')]
  const values = parents.flatMap((parent) => [
    ...findElements(parent, TYPES, 'Value'),
    ...findElements(parent, MESSAGES, 'Value'),
  ])
  const value = values.find((candidate) => candidate.attributes.Name === 'BackOffMilliseconds')?.text.trim() ?? ''
  return /^\d{1,9}$/.test(value) ? Number(value) : undefined
}

function isStamp(property: XmlElement): boolean {
  const [uri] = findElements(property, TYPES, 'ExtendedFieldURI')
  return uri?.attributes.PropertyName?.toLowerCase() === STAMP_HEADER.toLowerCase()
}

function textOf(element: XmlElement, uri: string, name: string): string {
  return findElements(element, uri, name)[0]?.text.trim() ?? ''
}

function childText(element: XmlElement, name: string): string {
  return element.children.find((child) => child.name === name)?.text.trim() ?? ''
}
