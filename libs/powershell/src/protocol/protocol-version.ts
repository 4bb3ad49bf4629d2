import { PermanentError } from '@gatehouse/messages'

/** The newest that is spoken here; 2.4 sends SecureStrings in clear. */
const MINOR_MAX = 3

/**
 * The protocol version that a server answered. Throws PermanentError('psrp-version-refused') for what is not 2.0 to 2.3: a
 * server answers the older of its own and the client's, so that anything newer has not understood the client.
 */
export function checkServerVersions(versions: { protocol: unknown; serialization: unknown }): string {
  const { protocol, serialization } = versions
  if (typeof protocol !== 'string' || !/^2\.\d{1,3}$/.test(protocol) || minorOf(protocol) > MINOR_MAX)
    throw refused(`protocol ${shown(protocol)}, not 2.0 to 2.${MINOR_MAX}`)
  if (serialization !== undefined && (typeof serialization !== 'string' || !/^1\.\d/.test(serialization)))
    throw refused(`serialization ${shown(serialization)}, not 1.x`)
  return protocol
}

/** The 3 of 2.3. */
export function minorOf(version: string): number {
  return Number(version.slice(version.indexOf('.') + 1))
}

function shown(version: unknown): string {
  return typeof version === 'string' ? JSON.stringify(version.slice(0, 20)) : 'of no version'
}

function refused(what: string): PermanentError {
  return new PermanentError('psrp-version-refused', `The server speaks ${what}`)
}
