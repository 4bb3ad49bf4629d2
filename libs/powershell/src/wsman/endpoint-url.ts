import { PermanentError } from '@gatehouse/messages'

/** Exchange routes by this version; it means Windows PowerShell 5.1. */
const PS_VERSION = '5.1.17763.1'

/**
 * The URL of an endpoint as it is requested. Credentials and commands travel as they are within the connection, so plain
 * http is for this machine only. Throws PermanentError('wsman-url-refused').
 */
export function readEndpointUrl(text: string): URL {
  const url = URL.parse(text)
  if (url === null) throw refused('it is not a URL')
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isLoopback(url)))
    throw refused('only https, or http on loopback')
  if (url.username !== '' || url.password !== '') throw refused('user and password do not belong into it')
  url.hash = ''
  url.searchParams.set('PSVersion', PS_VERSION)
  return url
}

function isLoopback({ hostname }: URL): boolean {
  return /^(127(\.\d{1,3}){3}|localhost|\[::1\])$/.test(hostname)
}

function refused(why: string): PermanentError {
  return new PermanentError('wsman-url-refused', `The Exchange URL cannot be used: ${why}`)
}
