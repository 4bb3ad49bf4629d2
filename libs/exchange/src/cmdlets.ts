import type { ExchangePurpose } from './exchange.ts'

type Cmdlet = {
  /** Its name from Exchange 2013; on 2010 the `older` one does the same. */
  name: string
  older?: string
  requiredFor: readonly ExchangePurpose[]
}

/** Every cmdlet Gatehouse may send (connector.md §2.3), and for whom doing without it is impossible. */
export const CMDLETS = {
  setServerSettings: { name: 'Set-ADServerSettings', requiredFor: ['read', 'write'] },
  getMobileDevice: { name: 'Get-MobileDevice', older: 'Get-ActiveSyncDevice', requiredFor: ['read'] },
  getCasMailbox: { name: 'Get-CASMailbox', requiredFor: ['read', 'write'] },
  setCasMailbox: { name: 'Set-CASMailbox', requiredFor: ['write'] },
  getExchangeServer: { name: 'Get-ExchangeServer', requiredFor: ['read'] },
  getOrganizationSettings: { name: 'Get-ActiveSyncOrganizationSettings', requiredFor: [] },
  setOrganizationSettings: { name: 'Set-ActiveSyncOrganizationSettings', requiredFor: [] },
  getDeviceAccessRule: { name: 'Get-ActiveSyncDeviceAccessRule', requiredFor: [] },
  newDeviceAccessRule: { name: 'New-ActiveSyncDeviceAccessRule', requiredFor: [] },
  setDeviceAccessRule: { name: 'Set-ActiveSyncDeviceAccessRule', requiredFor: [] },
  getDeviceClass: { name: 'Get-ActiveSyncDeviceClass', requiredFor: [] },
  getMailboxPolicy: { name: 'Get-MobileDeviceMailboxPolicy', older: 'Get-ActiveSyncMailboxPolicy', requiredFor: [] },
  clearMobileDevice: { name: 'Clear-MobileDevice', older: 'Clear-ActiveSyncDevice', requiredFor: [] },
  removeMobileDevice: { name: 'Remove-MobileDevice', older: 'Remove-ActiveSyncDevice', requiredFor: [] },
} as const satisfies Record<string, Cmdlet>

export type CmdletKey = keyof typeof CMDLETS

/** The names this server answers to, what is missing of the whole table, and what is missing that the purpose requires. */
export type Preflight = { names: Record<CmdletKey, string>; missing: string[]; missingRequired: string[] }

/** All names to ask Get-Command for, both dialects. */
export function namesToAskFor(): string[] {
  return Object.values(CMDLETS).flatMap((cmdlet: Cmdlet) =>
    cmdlet.older === undefined ? [cmdlet.name] : [cmdlet.name, cmdlet.older],
  )
}

/** Chooses the dialect and tells what is missing. `available` are the names Get-Command gave back, in any case. */
export function planPreflight(available: readonly string[], purpose: ExchangePurpose): Preflight {
  const has = new Set(available.map((name) => name.toLowerCase()))
  const isOlder = !has.has('get-mobiledevice') && has.has('get-activesyncdevice')
  const names: Partial<Record<CmdletKey, string>> = {}
  const missing: string[] = []
  const missingRequired: string[] = []
  for (const [key, cmdlet] of Object.entries(CMDLETS) as [CmdletKey, Cmdlet][]) {
    const name = isOlder ? (cmdlet.older ?? cmdlet.name) : cmdlet.name
    names[key] = name
    if (has.has(name.toLowerCase())) continue
    missing.push(name)
    if (cmdlet.requiredFor.includes(purpose)) missingRequired.push(name)
  }
  return { names: names as Record<CmdletKey, string>, missing, missingRequired }
}
