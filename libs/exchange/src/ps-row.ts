import { isPsObject, type PsData, type PsObject } from '@gatehouse/powershell'

/**
 * Exchange's objects arrive as deserialised property bags: enums and ids as text or as bags whose ToString is the value,
 * lists as lists or as bags around one. These read a property whichever way it came.
 */

/** The text of a property, '' when it is null or absent. */
export function readText(row: PsObject, property: string): string {
  return textOf(row.properties[property])
}

/** The items of a multivalued property as texts, without empty ones. */
export function readTexts(row: PsObject, property: string): string[] {
  return itemsOf(row.properties[property])
    .map(textOf)
    .filter((text) => text !== '')
}

export function readBoolean(row: PsObject, property: string): boolean | undefined {
  const text = textOf(row.properties[property]).toLowerCase()
  if (text === 'true') return true
  return text === 'false' ? false : undefined
}

export function readDate(row: PsObject, property: string): Date | undefined {
  const data = row.properties[property]
  const inner = isPsObject(data) ? (data.value ?? data.text) : data
  if (inner instanceof Date) return Number.isNaN(inner.getTime()) ? undefined : inner
  if (typeof inner !== 'string' || !/^\d{4}-\d\d-\d\dT/.test(inner)) return undefined
  const date = new Date(/(?:Z|[+-]\d\d:\d\d)$/.test(inner) ? inner : `${inner}Z`)
  return Number.isNaN(date.getTime()) ? undefined : date
}

function textOf(data: PsData | undefined): string {
  if (data === undefined || data === null) return ''
  if (typeof data === 'string') return data
  if (typeof data === 'number' || typeof data === 'boolean' || typeof data === 'bigint') return String(data)
  if (data instanceof Date) return Number.isNaN(data.getTime()) ? '' : data.toISOString()
  if (isPsObject(data)) return data.text ?? textOf(data.value)
  return Array.isArray(data) && data.length === 1 ? textOf(data[0]) : ''
}

function itemsOf(data: PsData | undefined): readonly PsData[] {
  if (data === undefined || data === null) return []
  if (Array.isArray(data)) return data
  if (isPsObject(data) && Array.isArray(data.value)) return data.value
  return [data]
}
