import { PsCredential } from './ps-credential.ts'
import { PsSecureString } from './ps-secure-string.ts'
import { ServerObject, type ServerValue } from './ps-value.ts'

/** Deeper values are refused by the encoder. */
const DEPTH_MAX = 24

/** True when a SecureString is somewhere in the value: it cannot be encoded without a session key. */
export function holdsSecureValue(value: ServerValue | undefined, depth = 0): boolean {
  if (typeof value !== 'object' || value === null || depth > DEPTH_MAX) return false
  if (Array.isArray(value)) return value.some((item) => holdsSecureValue(item, depth + 1))
  if (value instanceof PsSecureString || value instanceof PsCredential) return true
  if (value instanceof Uint8Array || value instanceof Date) return false
  if (value instanceof Map)
    return [...value].some(([key, item]) => holdsSecureValue(key, depth + 1) || holdsSecureValue(item, depth + 1))
  if (value instanceof ServerObject)
    return holdsSecureValue(value.value, depth + 1) || holdsSecureValue(value.properties, depth + 1)
  const properties = value as { readonly [name: string]: ServerValue }
  for (const name in properties) if (holdsSecureValue(properties[name], depth + 1)) return true
  return false
}
