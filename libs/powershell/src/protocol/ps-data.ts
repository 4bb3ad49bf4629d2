/**
 * A decoded value. Int64 and UInt64 are bigint (2^53+1 stays exact); other numbers are number, except Decimal, which is
 * its text. DateTime is a Date; without a zone it is read as UTC. Guid, Version, Uri, TimeSpan, Char, XmlDocument,
 * ScriptBlock and SecureString (still encrypted) are strings. Byte[] is Uint8Array. Lists, stacks and queues are arrays,
 * dictionaries are Maps; either becomes a PsObject when it carries members of its own.
 */
export type PsData = null | string | boolean | number | bigint | Date | Uint8Array | PsData[] | Map<PsData, PsData> | PsObject

/**
 * A decoded property bag. `text` is its ToString, `value` what it wraps (an enum's number, a list's items), `properties`
 * adapted and extended members together, on an object without prototype.
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
    !(data instanceof Uint8Array)
  )
}
