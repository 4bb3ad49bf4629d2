import type { LeaseBroker, ShellAddress } from '@gatehouse/powershell'
import { connectExchange, type ExchangeOptions } from './connect-exchange.ts'
import { deleteOrphanShells } from './delete-orphan-shells.ts'
import type { Exchange } from './exchange.ts'
import { type ExchangeSettings, exchangeOptionsOf } from './exchange-options-of.ts'

/** What the settings say of an Exchange, its secrets as files. */
export type ConnectorSettings = ExchangeSettings & {
  readonly passwordFile: string
  readonly caFile?: string | undefined
  readonly proxy?:
    | { readonly url: string; readonly user?: string | undefined; readonly passwordFile?: string | undefined }
    | undefined
}

export type ConnectorOptions = Pick<ExchangeOptions, 'purpose' | 'log' | 'trace'> & {
  readonly shellsMax?: number
  readonly env: Readonly<Record<string, string | undefined>>
  readonly readSecret: (path: string) => string
  readonly leases: LeaseBroker
  readonly knownServers: () => Promise<readonly string[]>
  /** Shells that dead processes of this machine have left on the servers. */
  readonly readOrphans: () => Promise<readonly { id: string; shell: ShellAddress }[]>
  readonly forgetOrphan: (id: string) => Promise<void>
}

/**
 * How a worker connects to one organisation's Exchange, each time anew: its secrets are read again, so that a changed one needs no
 * restart. The first time, orphaned shells are deleted before. What it gives throws what `connectExchange` and `readSecret` throw.
 * @throws what `readSecret` throws now: a secret that is not there at the start is a mistake in the settings
 */
export function createConnector(settings: ConnectorSettings, o: ConnectorOptions): (signal: AbortSignal) => Promise<Exchange> {
  const { readSecret, readOrphans, forgetOrphan, ...given } = o
  const readIfNamed = (path: string | undefined) => (path === undefined ? undefined : readSecret(path))
  const readSecrets = () => ({
    password: readSecret(settings.passwordFile),
    ca: readIfNamed(settings.caFile),
    proxyPassword: readIfNamed(settings.proxy?.passwordFile),
  })
  readSecrets()
  let isFirst = true
  return async (signal) => {
    const options = exchangeOptionsOf(settings, { ...given, ...readSecrets() })
    const orphans = isFirst ? await readOrphans() : []
    isFirst = false
    if (orphans.length > 0) await deleteOrphanShells(options, orphans, forgetOrphan)
    return await connectExchange(options, signal)
  }
}
