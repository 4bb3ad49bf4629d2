import { PermanentError } from '@gatehouse/messages'
import { readEndpointUrl } from './endpoint-url.ts'
import { REDIRECT_REQUESTED } from './fault.ts'

/** PowerShell's own default (PSSessionOption.MaximumConnectionRedirectionCount). */
const HOPS_MAX = 5

/**
 * Where a redirection leads to. `visited` are the endpoints asked so far, the settings' own first. Throws
 * PermanentError('wsman-redirected'), which names them all, when the server does not say where to, leads to where we have been,
 * to an address that is not safe or away from https, or a sixth time.
 */
export function followRedirection(location: string | undefined, visited: readonly URL[]): URL {
  const refused = (why: string, cause?: unknown) => {
    const hops = [...visited.map(({ href }) => href), location ?? 'nowhere'].join(' → ')
    return new PermanentError('wsman-redirected', `The server redirects, and ${why}: ${hops}`, {
      cause,
      detail: { faultCode: REDIRECT_REQUESTED, hops: visited.length, mayHaveRun: false, shellLost: true },
    })
  }
  if (location === undefined) throw refused('does not say where to')
  if (visited.length > HOPS_MAX) throw refused(`this is more than ${HOPS_MAX} times`)
  let url: URL
  try {
    url = readEndpointUrl(location)
  } catch (error) {
    throw refused('not to an address that may be used', error)
  }
  if (url.protocol === 'http:' && visited.some(({ protocol }) => protocol === 'https:')) throw refused('away from https')
  if (visited.some(({ href }) => href === url.href)) throw refused('in a circle')
  return url
}
