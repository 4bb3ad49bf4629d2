import { isPsObject, type PsData } from '@gatehouse/powershell/protocol'
import { applyDelta } from '../organization/organization.ts'

export type MultiValueChange = { list: string[]; duplicates: string[] }

/**
 * What Microsoft's multi-valued property makes of a value: null clears, a list or a single string replaces, a hashtable of
 * Add and Remove changes. Undefined when it is none of these.
 */
export function changeMultiValue(current: readonly string[], value: PsData): MultiValueChange | undefined {
  if (value === null) return { list: [], duplicates: [] }
  if (value instanceof Map) return changeByTable(current, value)
  const list = stringsOf(value)
  if (list === undefined) return undefined
  return { list: applyDelta([], list, []).list, duplicates: [] }
}

function changeByTable(current: readonly string[], table: Map<PsData, PsData>): MultiValueChange | undefined {
  let add: string[] = []
  let remove: string[] = []
  for (const [key, value] of table) {
    const strings = value === null ? [] : stringsOf(value)
    if (strings === undefined || typeof key !== 'string') return undefined
    if (key.toLowerCase() === 'add') add = strings
    else if (key.toLowerCase() === 'remove') remove = strings
    else return undefined
  }
  return applyDelta(current, add, remove)
}

function stringsOf(value: PsData): string[] | undefined {
  if (typeof value === 'string') return [value]
  if (Array.isArray(value)) {
    const strings = value.map((each) => (typeof each === 'string' ? each : isPsObject(each) ? each.text : undefined))
    return strings.every((each) => each !== undefined) ? strings : undefined
  }
  if (isPsObject(value)) return value.value === undefined ? undefined : stringsOf(value.value)
  return undefined
}
