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

/** Graph's exchangeAccessStateReason: by our decision where the list entry is ours, else by what Exchange said. */
export function graphAccessReason(facts: Facts): string {
  const isListed = facts.isInAllowedList || facts.isInBlockedList
  if (!isListed) return OF_EXCHANGE.get(facts.deviceAccessStateReason) ?? 'other'
  if (!facts.isOwnEntry) return 'exchangeIndividualRule'
  if (!facts.isInBlockedList) return 'compliant'
  const reason = facts.reason ?? ''
  if (/enrol|managed-device|not-managed|regist|activat|bound/.test(reason)) return 'notEnrolled'
  return /compliant/.test(reason) ? 'notCompliant' : 'other'
}
