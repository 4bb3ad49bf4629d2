import { childOf, type XmlElement } from '../read-xml.ts'
import { checkAttribute, checkSequence, invalidChild } from './check-sequence.ts'
import { TYPES } from './ews-namespaces.ts'
import { fieldKeyOf } from './field-key.ts'
import type { SentItem } from './sent-items.ts'

export type ItemTest = (item: SentItem) => boolean
export type ReadRestriction = { test: ItemTest } | { violation: string }

const FIELDS = ['FieldURI', 'IndexedFieldURI', 'ExtendedFieldURI']
const COMPARISONS: Record<string, (one: string, other: string) => boolean> = {
  IsEqualTo: (one, other) => one === other,
  IsNotEqualTo: (one, other) => one !== other,
  IsGreaterThan: (one, other) => one > other,
  IsGreaterThanOrEqualTo: (one, other) => one >= other,
  IsLessThan: (one, other) => one < other,
  IsLessThanOrEqualTo: (one, other) => one <= other,
}
const MODES = ['FullString', 'Prefixed', 'Substring', 'PrefixOnWords', 'ExactPhrase']
const CONTAINMENT = [
  'Exact',
  'IgnoreCase',
  'IgnoreNonSpacingCharacters',
  'Loose',
  'IgnoreCaseAndNonSpacingCharacters',
  'LooseAndIgnoreCase',
]

/** One search expression. */
export function readSearchExpression(element: XmlElement): ReadRestriction {
  if (element.namespace !== TYPES)
    return { violation: `There is no search expression '${element.name}' in '${element.namespace}'.` }
  if (element.name === 'And' || element.name === 'Or' || element.name === 'Not') return readBoolean(element)
  if (element.name === 'Exists') return readExists(element)
  if (element.name === 'Contains') return readContains(element)
  return readComparison(element)
}

function readBoolean(element: XmlElement): ReadRestriction {
  const tests: ItemTest[] = []
  for (const child of element.children) {
    const read = readSearchExpression(child)
    if ('violation' in read) return read
    tests.push(read.test)
  }
  const isCountWrong = element.name === 'Not' ? tests.length !== 1 : tests.length < 2
  if (isCountWrong) return { violation: `The element '${element.name}' in namespace '${TYPES}' has incomplete content.` }
  if (element.name === 'Not') return { test: (item) => !tests[0]?.(item) }
  return element.name === 'And'
    ? { test: (item) => tests.every((test) => test(item)) }
    : { test: (item) => tests.some((test) => test(item)) }
}

function readExists(element: XmlElement): ReadRestriction {
  const violation = checkSequence(element, { namespace: TYPES, names: FIELDS })
  if (violation !== undefined) return { violation }
  const field = readField(element)
  return 'violation' in field ? field : { test: (item) => field.value(item) !== undefined }
}

function readContains(element: XmlElement): ReadRestriction {
  const violation =
    checkSequence(element, { namespace: TYPES, names: [...FIELDS, 'Constant'], required: ['Constant'] }) ??
    checkAttribute(element, 'ContainmentMode', MODES) ??
    checkAttribute(element, 'ContainmentComparison', CONTAINMENT)
  if (violation !== undefined) return { violation }
  const field = readField(element)
  const constant = childOf(element, 'Constant')?.attributes.Value
  if ('violation' in field) return field
  if (constant === undefined) return { violation: `The required attribute 'Value' is missing.` }
  const fold =
    element.attributes.ContainmentComparison === 'Exact' ? (text: string) => text : (text: string) => text.toLowerCase()
  const wanted = fold(constant)
  const mode = element.attributes.ContainmentMode
  return {
    test: (item) => {
      const value = field.value(item)
      if (value === undefined) return false
      const folded = fold(value)
      if (mode === 'FullString') return folded === wanted
      return mode === 'Prefixed' ? folded.startsWith(wanted) : folded.includes(wanted)
    },
  }
}

function readComparison(element: XmlElement): ReadRestriction {
  const compare = COMPARISONS[element.name]
  if (compare === undefined) return { violation: `'${element.name}' is not a search expression this server knows.` }
  const names = [...FIELDS, 'FieldURIOrConstant']
  const violation = checkSequence(element, { namespace: TYPES, names, required: ['FieldURIOrConstant'] })
  if (violation !== undefined) return { violation }
  const field = readField(element)
  if ('violation' in field) return field
  const operand = childOf(element, 'FieldURIOrConstant')
  const constant = childOf(operand, 'Constant')
  if (operand !== undefined && constant === undefined && operand.children[0] !== undefined) {
    return { violation: invalidChild(operand, operand.children[0], ['Constant']) }
  }
  const wanted = constant?.attributes.Value
  if (wanted === undefined) return { violation: `The required attribute 'Value' is missing.` }
  // The store compares strings without case; a property that is not there equals nothing.
  return {
    test: (item) => {
      const value = field.value(item)
      return value === undefined ? element.name === 'IsNotEqualTo' : compare(value.toLowerCase(), wanted.toLowerCase())
    },
  }
}

function readField(element: XmlElement): { value: (item: SentItem) => string | undefined } | { violation: string } {
  const [field] = element.children
  if (field === undefined || !FIELDS.includes(field.name)) {
    return { violation: `The element '${element.name}' in namespace '${TYPES}' has incomplete content.` }
  }
  if (field.name === 'ExtendedFieldURI') {
    const key = fieldKeyOf(field)
    return 'violation' in key ? key : { value: (item) => item.extended.get(key.key)?.value }
  }
  const violation = checkAttribute(field, 'FieldURI')
  if (violation !== undefined) return { violation }
  const uri = field.attributes.FieldURI
  if (uri === 'item:Subject') return { value: (item) => item.subject }
  if (uri === 'item:Body') return { value: (item) => item.body }
  if (uri === 'item:DateTimeSent' || uri === 'item:DateTimeCreated') return { value: (item) => item.at.toISOString() }
  if (uri === 'item:DisplayTo' || uri === 'message:ToRecipients') return { value: (item) => item.to.join('; ') }
  return { value: () => undefined }
}
