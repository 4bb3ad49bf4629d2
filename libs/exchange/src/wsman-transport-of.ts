import type { WsmanTransportOptions } from '@gatehouse/powershell'
import type { ExchangeOptions } from './connect-exchange.ts'

export type EndpointOptions = Pick<
  ExchangeOptions,
  'user' | 'password' | 'ca' | 'certificateSha256' | 'authentication' | 'proxy' | 'idleTimeoutMs'
>

/** Outside Windows Kerberos takes the account from a credential cache or a keytab. */
export function takesPassword(authentication: ExchangeOptions['authentication']): boolean {
  return authentication !== 'negotiate' || process.platform === 'win32'
}

/** How one Exchange server is reached over WSMan. */
export function wsmanTransportOf(url: string, options: EndpointOptions): WsmanTransportOptions {
  const { user, password, ca, certificateSha256, authentication, proxy, idleTimeoutMs } = options
  return {
    kind: 'wsman',
    url,
    configurationName: 'Microsoft.Exchange',
    idleTimeoutMs,
    ...(authentication === undefined ? {} : { authentication }),
    ...(takesPassword(authentication) ? { user, password } : {}),
    ...(ca === undefined ? {} : { ca }),
    ...(certificateSha256 === undefined ? {} : { certificateSha256 }),
    ...(proxy === undefined ? {} : { proxy }),
  }
}
