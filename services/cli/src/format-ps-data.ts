import { type PsData, type PsObject, PsSecureString } from '@gatehouse/powershell'

/**
 * A decoded PowerShell value as JSON can hold it: big integers and dates as text, bytes as base64, dictionaries as pairs. What
 * holds itself, as PowerShell's objects may, is named and not followed.
 */
export function toJson(data: PsData | PsObject): unknown {
  return convert(data, new Set())
}

const HOLDS_ITSELF = '(holds itself)'

/** `around`: the objects that this one is within. */
function convert(data: PsData | PsObject, around: Set<PsData | PsObject>): unknown {
  if (data === null || typeof data === 'string' || typeof data === 'number' || typeof data === 'boolean') return data
  if (typeof data === 'bigint') return data.toString()
  if (data instanceof Date) return data.toISOString()
  if (data instanceof PsSecureString) return data.toString()
  if (data instanceof Uint8Array) return Buffer.from(data).toString('base64')
  if (around.has(data)) return HOLDS_ITSELF
  around.add(data)
  const within = (part: PsData) => convert(part, around)
  const converted = convertContainer(data, within)
  around.delete(data)
  return converted
}

function convertContainer(data: PsData[] | Map<PsData, PsData> | PsObject, within: (part: PsData) => unknown): unknown {
  if (Array.isArray(data)) return data.map(within)
  if (data instanceof Map) return Object.fromEntries([...data].map(([key, value]) => [String(within(key)), within(value)]))
  const names = Object.keys(data.properties)
  // An id is a property bag whose whole meaning is its text (Deserialized.…ADObjectId); people want the text.
  if (names.length === 0) return data.value === undefined ? (data.text ?? null) : within(data.value)
  return Object.fromEntries(names.map((name) => [name, within(data.properties[name] ?? null)]))
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
