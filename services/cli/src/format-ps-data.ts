import type { PsData, PsObject } from '@gatehouse/powershell'

/** A decoded PowerShell value as JSON can hold it: big integers and dates as text, bytes as base64, dictionaries as pairs. */
export function toJson(data: PsData | PsObject): unknown {
  if (data === null || typeof data === 'string' || typeof data === 'number' || typeof data === 'boolean') return data
  if (typeof data === 'bigint') return data.toString()
  if (data instanceof Date) return data.toISOString()
  if (data instanceof Uint8Array) return Buffer.from(data).toString('base64')
  if (Array.isArray(data)) return data.map(toJson)
  if (data instanceof Map) return Object.fromEntries([...data].map(([key, value]) => [String(toJson(key)), toJson(value)]))
  return objectToJson(data)
}

function objectToJson(object: PsObject): unknown {
  const names = Object.keys(object.properties)
  // An id is a property bag whose whole meaning is its text (Deserialized.…ADObjectId); people want the text.
  if (names.length === 0) return object.value === undefined ? (object.text ?? null) : toJson(object.value)
  return Object.fromEntries(names.map((name) => [name, toJson(object.properties[name] ?? null)]))
}

/** One object as PowerShell's Format-List shows it. */
export function formatPsData(data: PsData | PsObject): string {
  const value = toJson(data)
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return typeof value === 'string' ? value : JSON.stringify(value)
  const entries = Object.entries(value)
  const width = Math.max(0, ...entries.map(([name]) => name.length))
  return entries
    .map(([name, item]) => `${name.padEnd(width)} : ${typeof item === 'string' ? item : JSON.stringify(item)}`)
    .join('\n')
}
