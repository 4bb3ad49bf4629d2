import type { Command, InvocationResult, RunspacePoolStats } from '@gatehouse/powershell'
import type { CasMailbox } from './cas-mailbox.ts'
import type { DeviceAccessRule } from './device-access-rule.ts'
import type { DeviceClass } from './device-class.ts'
import type { ExchangeServer } from './exchange-server.ts'
import type { MailboxPolicy } from './mailbox-policy.ts'
import type { MobileDevice } from './mobile-device.ts'
import type { OrganizationSettings } from './organization-settings.ts'
import type { RejectedRow } from './read-rows.ts'
import type { AccessChangePlan } from './set-cas-mailbox.ts'

/**
 * What the worker is going to do, and so which cmdlets it cannot do without: `read` (discovery), `write` (enforcement),
 * `any` (a single cmdlet by hand: nothing is required).
 */
export type ExchangePurpose = 'read' | 'write' | 'any'

export type AccessLevelName = 'Allow' | 'Block' | 'Quarantine'

/** What every bulk read says besides its rows. `began` is this machine's clock before the cmdlet was sent. */
export type Read = {
  began: Date
  durationMs: number
  /** Rows that are not what Exchange promises; the others are good. */
  rejected: RejectedRow[]
  /** false: Exchange reported errors, or a row without an id was rejected. What is not listed may still exist. */
  complete: boolean
}

export type SetOptions = { signal: AbortSignal; priority?: 'urgent' | 'bulk' }

/**
 * One Exchange organisation through its runspace pool. Every method throws PermanentError or RetryableError with a code of
 * this package's README, or a `wsman-…`/`psrp-…` code of the engine; `detail.mayHaveRun` is false when nothing was sent or
 * Exchange refused it, `detail.scope` says what is affected: `mailbox`, `organization`, `account` or `server`.
 */
export interface Exchange extends AsyncDisposable {
  /** The endpoint in use: the primary one, or another client access server while that is dead. */
  readonly url: string
  /** Cmdlets of the whole table that the account may not run and that this purpose does not require. */
  readonly missingCmdlets: readonly string[]
  readMobileDevices(signal: AbortSignal): Promise<Read & { devices: MobileDevice[] }>
  /** The mailboxes that have a device partnership. */
  readCasMailboxes(signal: AbortSignal): Promise<Read & { mailboxes: CasMailbox[] }>
  readExchangeServers(signal: AbortSignal): Promise<Read & { servers: ExchangeServer[] }>
  readOrganizationSettings(signal: AbortSignal): Promise<OrganizationSettings>
  readDeviceAccessRules(signal: AbortSignal): Promise<Read & { rules: DeviceAccessRule[] }>
  readDeviceClasses(signal: AbortSignal): Promise<Read & { classes: DeviceClass[] }>
  readMailboxPolicies(signal: AbortSignal): Promise<Read & { policies: MailboxPolicy[] }>
  /** One mailbox, read from a domain controller. Throws `exchange-identity-mismatch` unless exactly that one comes back. */
  readCasMailbox(mailboxGuid: string, options: SetOptions): Promise<CasMailbox>
  /** One partnership by its GUID. Throws `exchange-identity-mismatch` unless exactly that one comes back. */
  readMobileDevice(deviceGuid: string, options: SetOptions): Promise<MobileDevice>
  /** Adds and removes ids of the two lists, nothing else. Throws `empty-plan` and `identity-refused` before anything is sent. */
  setCasMailbox(mailboxGuid: string, plan: AccessChangePlan, options: SetOptions): Promise<{ durationMs: number }>
  setDefaultAccessLevel(level: AccessLevelName, options: SetOptions): Promise<void>
  newDeviceAccessRule(rule: Omit<DeviceAccessRule, 'identity'>, options: SetOptions): Promise<void>
  setDeviceAccessRule(identity: string, level: AccessLevelName, options: SetOptions): Promise<void>
  /** WIPES the device, or takes the wish back. Reads the identity back first. */
  clearMobileDevice(deviceGuid: string, action: 'wipe' | 'cancel-wipe', options: SetOptions): Promise<void>
  /** Deletes the partnership; the device may register again. Reads the identity back first. */
  removeMobileDevice(deviceGuid: string, options: SetOptions): Promise<void>
  /** Any one cmdlet, for a person at a command line. The cmdlet's own errors are in the result. */
  invoke(command: Command, options: SetOptions): Promise<InvocationResult>
  /** Opens the shells in the background: much is about to be written. */
  prepare(): void
  stats(): RunspacePoolStats | undefined
}
