import { escapeXml } from '../escape-xml.ts'
import { childOf, childrenOf, type XmlElement } from '../read-xml.ts'
import { checkAttribute, checkSequence } from './check-sequence.ts'
import { MESSAGES, TYPES } from './ews-namespaces.ts'
import { type EwsFault, schemaFault, writeErrorMessage } from './ews-response.ts'
import { fieldKeyOf } from './field-key.ts'
import { readSearchExpression } from './restriction.ts'
import type { SentItem } from './sent-items.ts'

const ORDER = [
  'ItemShape',
  'IndexedPageItemView',
  'FractionalPageItemView',
  'SeekToConditionPageItemView',
  'CalendarView',
  'ContactsView',
  'GroupBy',
  'DistinguishedGroupBy',
  'Restriction',
  'SortOrder',
  'ParentFolderIds',
  'QueryString',
]
const SHAPE_ORDER = [
  'BaseShape',
  'IncludeMimeContent',
  'BodyType',
  'UniqueBodyType',
  'NormalizedBodyType',
  'FilterHtmlContent',
  'AdditionalProperties',
]
/** EWSFindCountLimit. */
const PAGE_MAX = 1000

/** The response messages, one per folder asked for. */
export function findItems(operation: XmlElement, sentItems: readonly SentItem[]): { fault: EwsFault } | { messages: string } {
  const violation = checkOperation(operation)
  if (violation !== undefined) return { fault: schemaFault(violation) }
  const restriction = childOf(operation, 'Restriction')?.children[0]
  const read = restriction === undefined ? { test: () => true } : readSearchExpression(restriction)
  if ('violation' in read) return { fault: schemaFault(read.violation) }
  const additional = readAdditional(operation)
  if ('violation' in additional) return { fault: schemaFault(additional.violation) }
  const isDescending = childOf(operation, 'SortOrder')?.children[0]?.attributes.Order !== 'Ascending'
  const base = childOf(childOf(operation, 'ItemShape'), 'BaseShape')?.text.trim() ?? ''
  const messages = (childOf(operation, 'ParentFolderIds')?.children ?? []).map((folder) => {
    const name = folder.attributes.Id?.toLowerCase()
    if (folder.name !== 'DistinguishedFolderId' && name !== undefined) {
      return writeErrorMessage('FindItem', 'ErrorInvalidFolderId', 'The specified folder Id is invalid.')
    }
    const found = name === 'sentitems' ? sentItems.filter(read.test) : []
    const sorted = isDescending ? found.toReversed() : found
    return writeFolder(sorted, operation, (item) => writeItem(item, base, additional.keys))
  })
  return { messages: messages.join('') }
}

function checkOperation(operation: XmlElement): string | undefined {
  const parents = childOf(operation, 'ParentFolderIds')
  const shape = childOf(operation, 'ItemShape')
  const view = childOf(operation, 'IndexedPageItemView')
  return (
    checkSequence(operation, { namespace: MESSAGES, names: ORDER, required: ['ItemShape', 'ParentFolderIds'] }) ??
    checkAttribute(operation, 'Traversal', ['Shallow', 'SoftDeleted', 'Associated']) ??
    (shape && checkSequence(shape, { namespace: TYPES, names: SHAPE_ORDER, required: ['BaseShape'] })) ??
    (view && checkAttribute(view, 'Offset')) ??
    (view && checkAttribute(view, 'BasePoint', ['Beginning', 'End'])) ??
    (parents &&
      checkSequence(parents, {
        namespace: TYPES,
        names: ['FolderId', 'DistinguishedFolderId'],
        many: ['FolderId', 'DistinguishedFolderId'],
      })) ??
    parents?.children.map((folder) => checkAttribute(folder, 'Id')).find((each) => each !== undefined)
  )
}

function readAdditional(operation: XmlElement): { keys: string[] } | { violation: string } {
  const properties = childOf(childOf(operation, 'ItemShape'), 'AdditionalProperties')
  const keys: string[] = []
  for (const uri of childrenOf(properties, 'ExtendedFieldURI')) {
    const key = fieldKeyOf(uri)
    if ('violation' in key) return key
    keys.push(key.key)
  }
  return { keys }
}

function writeFolder(items: readonly SentItem[], operation: XmlElement, write: (item: SentItem) => string): string {
  const view = childOf(operation, 'IndexedPageItemView')
  const size = Math.min(Number(view?.attributes.MaxEntriesReturned ?? PAGE_MAX), PAGE_MAX)
  const offset = Number(view?.attributes.Offset ?? 0)
  const isFromEnd = view?.attributes.BasePoint === 'End'
  const start = isFromEnd ? Math.max(0, items.length - offset - size) : offset
  const page = items.slice(start, start + size)
  const isLast = start + page.length >= items.length
  const next = start + page.length
  const folder = `<m:RootFolder IndexedPagingOffset="${next}" TotalItemsInView="${items.length}" IncludesLastItemInRange="${isLast}"><t:Items>${page.map(write).join('')}</t:Items></m:RootFolder>`
  return `<m:FindItemResponseMessage ResponseClass="Success"><m:ResponseCode>NoError</m:ResponseCode>${folder}</m:FindItemResponseMessage>`
}

function writeItem(item: SentItem, base: string, keys: readonly string[]): string {
  const subject = base === 'IdOnly' ? '' : `<t:Subject>${escapeXml(item.subject)}</t:Subject>`
  const sent = base === 'IdOnly' ? '' : `<t:DateTimeSent>${item.at.toISOString()}</t:DateTimeSent>`
  const extended = keys.map((key) => {
    const property = item.extended.get(key)
    if (property === undefined) return ''
    const attributes = Object.entries(property.uri).map(([name, value]) => ` ${name}="${escapeXml(value)}"`)
    return `<t:ExtendedProperty><t:ExtendedFieldURI${attributes.join('')}/><t:Value>${escapeXml(property.value)}</t:Value></t:ExtendedProperty>`
  })
  return `<t:Message><t:ItemId Id="${item.id}" ChangeKey="CQAAABYAAAC"/>${subject}${sent}${extended.join('')}</t:Message>`
}
