import { PermanentError } from '@gatehouse/messages'

const LOOPBACK = new Set(['127.0.0.1', '[::1]', 'localhost'])

/**
 * The address of a service of Microsoft's, as scheme, host and port.
 * @throws PermanentError('graph-insecure') when the secret or the token would cross a network in the clear.
 */
export function checkOrigin(text: string, setting: 'graph.authority' | 'graph.endpoint'): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || url.username !== '' || url.password !== '' || url.pathname !== '/' || url.search !== '') {
    throw new PermanentError(
      'graph-address-invalid',
      `${setting} must be scheme and host only, such as https://graph.microsoft.com`,
    )
  }
  if (url.protocol === 'https:' || (url.protocol === 'http:' && isLoopback(url))) return url
  throw new PermanentError('graph-insecure', `${setting} must be https (plain http is for this machine only)`)
}

export function isLoopback(url: URL): boolean {
  return LOOPBACK.has(url.hostname)
}
