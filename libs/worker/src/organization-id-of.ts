import { createHash } from 'node:crypto'

/** Never change it: every organisation's id in every database is derived from it. */
const NAMESPACE = Buffer.from('6f0d6b1c5c8e4a0b9d2e71c3a4f85b26', 'hex')

/** The id of an organisation: a UUID version 5 (RFC 9562 §5.5) of its name, whatever its case. */
export function organizationIdOf(name: string): string {
  const hash = createHash('sha1').update(NAMESPACE).update(name.trim().normalize('NFC').toLowerCase()).digest().subarray(0, 16)
  hash[6] = ((hash[6] ?? 0) & 0x0f) | 0x50
  hash[8] = ((hash[8] ?? 0) & 0x3f) | 0x80
  return hash.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}
