type Facts = {
  readonly isInAllowedList: boolean
  readonly isInBlockedList: boolean
  readonly isOwnEntry: boolean
  readonly reason: string | null
  readonly deviceAccessStateReason: string
}

/** Exchange's DeviceAccessStateReason in Graph's words (exchangeAccessStateReason). */
const OF_EXCHANGE: ReadonlyMap<string, string> = new Map([
  ['', 'none'],
  ['Unknown', 'unknown'],
  ['Global', 'exchangeGlobalRule'],
  ['Individual', 'exchangeIndividualRule'],
  ['DeviceRule', 'exchangeDeviceRule'],
  ['Upgrade', 'exchangeUpgrade'],
  ['Policy', 'exchangeMailboxPolicy'],
])

/** Our reasons for a block in Graph's words, which know fewer. */
const OF_BLOCK: ReadonlyMap<string, string> = new Map([
  ['not-enrolled', 'notEnrolled'],
  ['device-of-another-user', 'notEnrolled'],
  ['eas-id-not-activated', 'notEnrolled'],
  ['not-registered', 'notEnrolled'],
  ['noncompliant', 'notCompliant'],
  ['compliance-conflict', 'notCompliant'],
  ['compliance-error', 'notCompliant'],
  ['compliance-unknown', 'notCompliant'],
  ['grace-period-expired', 'notCompliant'],
])

/** Graph's exchangeAccessStateReason: by our decision where the list entry is ours, else by what Exchange said. */
export function graphAccessReason(facts: Facts): string {
  const isListed = facts.isInAllowedList || facts.isInBlockedList
  if (!isListed) return OF_EXCHANGE.get(facts.deviceAccessStateReason) ?? 'other'
  if (!facts.isOwnEntry) return 'exchangeIndividualRule'
  if (!facts.isInBlockedList) return 'compliant'
  return OF_BLOCK.get(facts.reason ?? '') ?? 'other'
}
