import { ARRAY_TYPES, HASHTABLE_TYPES } from './container-types.ts'
import { PsSecureString } from './ps-secure-string.ts'

/**
 * A decoded value. Int64 and UInt64 are bigint (2^53+1 stays exact); other numbers are number, except Decimal, which is
 * its text. DateTime is a Date, and a PsDateTime where a Date would lose ticks or the zone; without a zone it is read as UTC.
 * Guid, Version, Uri, TimeSpan, Char, XmlDocument and ScriptBlock are strings, SecureString is a PsSecureString. Byte[] is
 * Uint8Array. Lists, queues and stacks (the top first) are arrays, dictionaries are Maps in the order they were written;
 * either becomes a PsObject when it carries members or a text of its own, or refers to itself, and `typeNamesOf` says what it was.
 * Keys that .NET tells apart and JavaScript does not (Byte 1 and Int32 1): the later is a PsObject with the type's name and
 * the key as `value`.
 */
export type PsData =
  | null
  | string
  | boolean
  | number
  | bigint
  | Date
  | Uint8Array
  | PsSecureString
  | PsData[]
  | Map<PsData, PsData>
  | PsObject

/**
 * A decoded property bag. `text` is its ToString, `value` what it wraps (an enum's number, a list's items), `properties`
 * adapted and extended members together (an extended one hides an adapted one of its name, as in PowerShell), on an object
 * without prototype. A member set within is a PsObject; members without a name are a list under the empty name. An object
 * that the document refers to twice is the same object twice.
 */
export type PsObject = {
  readonly typeNames: readonly string[]
  readonly text: string | undefined
  readonly value: PsData | undefined
  readonly properties: Readonly<Record<string, PsData>>
}

/** True for a decoded property bag, false for every other PsData. */
export function isPsObject(data: PsData | undefined): data is PsObject {
  return (
    typeof data === 'object' &&
    data !== null &&
    !Array.isArray(data) &&
    !(data instanceof Map) &&
    !(data instanceof Date) &&
    !(data instanceof Uint8Array) &&
    !(data instanceof PsSecureString)
  )
}

const NO_TYPES: readonly string[] = Object.freeze([])
const containerTypes = new WeakMap<object, readonly string[]>()

/**
 * The .NET type names, the most special first, of a decoded object, list or dictionary: those of an Object[] or a Hashtable
 * where the server gave no others; empty for scalars.
 */
export function typeNamesOf(data: PsData): readonly string[] {
  if (isPsObject(data)) return data.typeNames
  if (Array.isArray(data)) return containerTypes.get(data) ?? ARRAY_TYPES
  return data instanceof Map ? (containerTypes.get(data) ?? HASHTABLE_TYPES) : NO_TYPES
}

/** Remembers the type names of a list or dictionary that has no object around it. The usual ones need not be: it costs time. */
export function noteTypeNames(container: object, typeNames: readonly string[]): void {
  const [first] = typeNames
  if (first !== undefined && first !== ARRAY_TYPES[0] && first !== HASHTABLE_TYPES[0]) containerTypes.set(container, typeNames)
}
