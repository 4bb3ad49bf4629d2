import type { ProxyOptions } from './open-tunnel.ts'

/** What is wrong with the settings of a proxy, to be put behind the name of the setting; undefined when nothing is. */
export function findProxyProblem({ url: text, user }: Pick<ProxyOptions, 'url' | 'user'>): string | undefined {
  const url = URL.parse(text)
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:')) return 'the proxy must be an http or https URL'
  if (url.username !== '' || url.password !== '') return "the proxy's user and password do not belong into its URL"
  // RFC 7617: a colon ends the user name.
  if (user !== undefined && (user === '' || user.includes(':'))) return "the proxy's user name is empty or holds a colon"
  return undefined
}
