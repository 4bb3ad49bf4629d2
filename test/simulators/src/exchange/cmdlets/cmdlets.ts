import { CAS_MAILBOX_CMDLETS } from './cas-mailbox-cmdlets.ts'
import type { Cmdlet } from './cmdlet.ts'
import { getCommand } from './get-command.ts'
import { MOBILE_DEVICE_CMDLETS } from './mobile-device-cmdlets.ts'
import { ORGANIZATION_CMDLETS } from './organization-cmdlets.ts'

/** By lower-case name; role-based access may hide some of them from the account. */
export function createCmdlets(hidden: readonly string[], more: readonly Cmdlet[] = []): ReadonlyMap<string, Cmdlet> {
  const invisible = new Set(hidden.map((name) => name.toLowerCase()))
  const all = [getCommand, ...MOBILE_DEVICE_CMDLETS, ...CAS_MAILBOX_CMDLETS, ...ORGANIZATION_CMDLETS, ...more]
  return new Map(all.map((cmdlet) => [cmdlet.name.toLowerCase(), cmdlet] as const).filter(([key]) => !invisible.has(key)))
}
