import type { HostConnection, WsmanTransportOptions } from '@gatehouse/powershell'

/** The same Exchange server as Microsoft's WSMan client of the host engine is to reach it. */
export function hostConnectionOf({ url, user = '', password = '', authentication }: WsmanTransportOptions): HostConnection {
  return {
    uri: url,
    authentication: authentication === 'negotiate' ? 'Kerberos' : 'Basic',
    ...(user === '' ? {} : { credential: { user, password } }),
  }
}
