import { type Command, createHostEngine, createRemotingEngine, type PowerShellEngine } from '@gatehouse/powershell'
import type { ExchangeOptions } from './connect-exchange.ts'
import { hostConnectionOf } from './host-connection-of.ts'
import { wsmanTransportOf } from './wsman-transport-of.ts'

/** Without it a session only sees the recipients of its own domain; it is a setting of the session, so every runspace needs it. */
export const VIEW_ENTIRE_FOREST: Command = { name: 'Set-ADServerSettings', parameters: { ViewEntireForest: true } }

/**
 * The engine for one Exchange server: our own remoting, or a PowerShell of this machine with Microsoft's WSMan client. Throws
 * PermanentError(`wsman-settings-refused` | `wsman-url-refused` | `host-settings-refused`).
 */
export function createEngine(url: string, options: ExchangeOptions): PowerShellEngine {
  if (options.engine === 'host') return createLocalEngine(url, options)
  return createRemotingEngine({
    transport: wsmanTransportOf(url, options),
    onOpenRunspace: [VIEW_ENTIRE_FOREST],
    ...(options.leases !== undefined && { leases: options.leases }),
    shellsMax: options.shells,
    log: options.log,
  })
}

function createLocalEngine(url: string, options: ExchangeOptions): PowerShellEngine {
  const { powerShell } = options
  const modules = powerShell?.modules ?? []
  return createHostEngine({
    ...(powerShell?.executable === undefined ? {} : { executable: powerShell.executable }),
    environment: powerShell?.environment ?? {},
    ...(modules.length > 0 ? { modules } : { connection: hostConnectionOf(wsmanTransportOf(url, options)) }),
    runspacesMax: options.shells,
    log: options.log,
  })
}
