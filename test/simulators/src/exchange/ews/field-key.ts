import type { XmlElement } from '../read-xml.ts'
import { checkAttribute } from './check-sequence.ts'

const PROPERTY_SETS = [
  'Meeting',
  'Appointment',
  'Common',
  'PublicStrings',
  'Address',
  'InternetHeaders',
  'CalendarAssistant',
  'UnifiedMessaging',
  'Task',
  'Sharing',
]
const PROPERTY_TYPES = [
  'String',
  'StringArray',
  'Integer',
  'Long',
  'Boolean',
  'Binary',
  'SystemTime',
  'CLSID',
  'Double',
  'Short',
]

/** One text for one extended property, however it is named; the second part of the answer says what is wrong. */
export function fieldKeyOf(uri: XmlElement): { key: string } | { violation: string } {
  const violation = checkAttribute(uri, 'PropertyType', PROPERTY_TYPES)
  if (violation !== undefined) return { violation }
  const { PropertyTag, PropertySetId, DistinguishedPropertySetId, PropertyName, PropertyId, PropertyType } = uri.attributes
  if (PropertyTag !== undefined) return { key: `${PropertyTag.toLowerCase()}/${PropertyType}` }
  if (DistinguishedPropertySetId !== undefined && !PROPERTY_SETS.includes(DistinguishedPropertySetId)) {
    return { violation: `The 'DistinguishedPropertySetId' attribute is invalid - The Enumeration constraint failed.` }
  }
  const set = DistinguishedPropertySetId ?? PropertySetId?.toLowerCase()
  const name = PropertyName ?? PropertyId
  if (set === undefined || name === undefined) return { violation: 'ExtendedFieldURI names no property.' }
  const isHeader = set === 'InternetHeaders'
  return { key: `${set}/${isHeader ? name.toLowerCase() : name}/${PropertyType}` }
}
