import { isPsObject, type PsData } from './ps-data.ts'

/** What a decoded value says as text: an object's ToString, a scalar as it is, '' for lists, dictionaries and null. */
export function textOf(data: PsData | undefined): string {
  if (data === undefined || data === null) return ''
  if (isPsObject(data)) return data.text ?? textOf(data.value)
  return typeof data === 'object' ? '' : String(data)
}
