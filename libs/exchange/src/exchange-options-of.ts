import { basicEnvironment } from '@gatehouse/powershell'
import type { ExchangeOptions } from './connect-exchange.ts'

/** The `exchange` section of an organisation's settings. */
export type ExchangeSettings = {
  readonly url: string
  readonly user: string
  readonly certificateSha256?: string | undefined
  readonly authentication: 'basic' | 'negotiate'
  readonly proxy?: { readonly url: string; readonly user?: string | undefined } | undefined
  readonly engine: 'remoting' | 'host'
  readonly powerShell: {
    readonly executable: string
    readonly modules: readonly string[]
    readonly environment: Readonly<Record<string, string>>
  }
  readonly isCasFailoverEnabled: boolean
  readonly enableParallelCommandSupport: boolean
  readonly runspacesMax: number
  readonly idleTimeoutSeconds: number
  readonly cmdletTimeoutSeconds: number
}

/**
 * The options of a connection out of an organisation's settings. `shellsMax` is the most this worker has a use for; without
 * EnableParallelCommandSupport it gets one shell whatever it asks for.
 */
export function exchangeOptionsOf(
  settings: ExchangeSettings,
  o: Pick<ExchangeOptions, 'purpose' | 'password' | 'ca' | 'leases' | 'knownServers' | 'log' | 'trace'> & {
    shellsMax?: number
    proxyPassword?: string | undefined
    /** Of this process: a PowerShell of this machine gets what it needs of it. */
    env: Readonly<Record<string, string | undefined>>
  },
): ExchangeOptions {
  const { shellsMax = settings.runspacesMax, proxyPassword, env, ...given } = o
  const environment = { ...basicEnvironment(env), ...settings.powerShell.environment }
  return {
    ...given,
    url: settings.url,
    user: settings.user,
    certificateSha256: settings.certificateSha256,
    authentication: settings.authentication,
    proxy: settings.proxy === undefined ? undefined : { ...settings.proxy, password: proxyPassword },
    engine: settings.engine,
    powerShell: { ...settings.powerShell, environment },
    shells: settings.enableParallelCommandSupport ? Math.min(settings.runspacesMax, shellsMax) : 1,
    idleTimeoutMs: settings.idleTimeoutSeconds * 1_000,
    cmdletTimeoutMs: settings.cmdletTimeoutSeconds * 1_000,
    isCasFailoverEnabled: settings.isCasFailoverEnabled,
  }
}
