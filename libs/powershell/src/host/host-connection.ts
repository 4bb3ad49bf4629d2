import { toBase64 } from './encode-run.ts'

type Credential = { readonly user: string; readonly password: string }

/**
 * The Exchange that PowerShell's own WSMan client connects to, on Windows. Without a credential: as the user that the process
 * runs as. Certificates are always checked.
 */
export type HostConnection = {
  readonly uri: string
  /** Default that of Exchange. */
  readonly shellUri?: string
  readonly credential?: Credential
  readonly authentication: 'Kerberos' | 'Negotiate' | 'Basic'
  readonly proxy?: {
    readonly accessType: 'IEConfig' | 'WinHttpConfig' | 'AutoDetect' | 'NoProxyServer'
    readonly authentication?: 'Negotiate' | 'Basic' | 'Digest'
    readonly credential?: Credential
  }
}

const EXCHANGE_SHELL = 'http://schemas.microsoft.com/powershell/Microsoft.Exchange'

/** The connection as the host script takes it. It goes to standard input, once: never to a command line or the environment. */
export function encodeConnection(connection: HostConnection): Record<string, unknown> {
  const { credential, proxy, ...rest } = connection
  return {
    shellUri: EXCHANGE_SHELL,
    ...rest,
    ...(credential === undefined ? {} : { credential: encodeCredential(credential) }),
    ...(proxy === undefined
      ? {}
      : { proxy: { ...proxy, ...(proxy.credential === undefined ? {} : { credential: encodeCredential(proxy.credential) }) } }),
  }
}

function encodeCredential({ user, password }: Credential): Credential {
  return { user: toBase64(user), password: toBase64(password) }
}
