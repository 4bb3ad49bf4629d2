import { PermanentError } from '@gatehouse/messages'

const GUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i
const EMPTY = '00000000-0000-0000-0000-000000000000'

export function isGuid(text: string): boolean {
  return GUID.test(text) && text !== EMPTY
}

/**
 * The GUID in lower case. Exchange answers a null or unknown identity of most Get cmdlets with EVERY object, so nothing but a
 * GUID is ever passed on. Throws PermanentError('identity-refused').
 */
export function requireGuid(identity: string, what: string): string {
  if (!isGuid(identity))
    throw new PermanentError('identity-refused', `Not the GUID of a ${what}`, { detail: { mayHaveRun: false } })
  return identity.toLowerCase()
}
