import type { ExchangeOptions } from './connect-exchange.ts'

/** The `exchange` section of an organisation's settings. */
export type ExchangeSettings = {
  readonly url: string
  readonly user: string
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
  o: Pick<ExchangeOptions, 'purpose' | 'password' | 'ca' | 'leases' | 'knownServers' | 'log'> & { shellsMax?: number },
): ExchangeOptions {
  const { shellsMax = settings.runspacesMax, ...given } = o
  return {
    ...given,
    url: settings.url,
    user: settings.user,
    shells: settings.enableParallelCommandSupport ? Math.min(settings.runspacesMax, shellsMax) : 1,
    idleTimeoutMs: settings.idleTimeoutSeconds * 1_000,
    cmdletTimeoutMs: settings.cmdletTimeoutSeconds * 1_000,
    isCasFailoverEnabled: settings.isCasFailoverEnabled,
  }
}
