import type { ObservedMailbox, ObservedPartnership, StoredMailbox, StoredPartnership } from '@gatehouse/store'

export type PublishedMailboxesInput = {
  syncType: 'fullSync' | 'deltaSync'
  runId: string
  observed: { mailboxes: readonly ObservedMailbox[]; partnerships: readonly ObservedPartnership[] }
  stored: { mailboxes: readonly StoredMailbox[]; partnerships: readonly StoredPartnership[] }
  /** Partnerships that are not listed but must not be taken for gone. */
  keptIds: ReadonlySet<string>
  /** false: the list of devices may lack some, so nothing that is not on it is taken for gone. */
  isComplete: boolean
}

/**
 * The mailboxes that have to be decided. `fullSync`: all with a partnership, and those that lost one. `deltaSync`: those whose
 * own row or any of whose partnerships differs from what is stored, and those this very run has published before (it may have
 * died in the middle).
 */
export function planPublishedMailboxes(input: PublishedMailboxesInput): Set<string> {
  const { observed, stored, runId } = input
  const listed = new Set(observed.mailboxes.map(({ id }) => id))
  const published = new Set(stored.mailboxes.filter((mailbox) => mailbox.published_run_id === runId).map(({ id }) => id))
  for (const id of findDeprived(input)) published.add(id)
  const isFull = input.syncType === 'fullSync'
  const mailboxes = new Map(stored.mailboxes.map((mailbox) => [mailbox.id, mailbox]))
  const partnerships = new Map(stored.partnerships.map((partnership) => [partnership.id, partnership]))
  const withPartnership = new Set(observed.partnerships.map((partnership) => partnership.mailbox_id))
  for (const partnership of observed.partnerships) {
    const known = partnerships.get(partnership.id)
    if (isFull || differs(partnership, known)) published.add(partnership.mailbox_id)
    if (known !== undefined && known.mailbox_id !== partnership.mailbox_id) published.add(known.mailbox_id)
  }
  for (const mailbox of observed.mailboxes)
    if (withPartnership.has(mailbox.id) && differs(mailbox, mailboxes.get(mailbox.id))) published.add(mailbox.id)
  return published.intersection(listed)
}

function findDeprived({ observed, stored, keptIds, isComplete }: PublishedMailboxesInput): string[] {
  if (!isComplete) return []
  const listed = new Set(observed.partnerships.map(({ id }) => id))
  return stored.partnerships
    .filter(({ id, is_vanished }) => !is_vanished && !listed.has(id) && !keptIds.has(id))
    .map((partnership) => partnership.mailbox_id)
}

function differs<T extends object>(observed: T, stored: (T & { is_vanished: boolean }) | undefined): boolean {
  if (stored === undefined || stored.is_vanished) return true
  return (Object.keys(observed) as (keyof T)[]).some((field) => !isEqual(observed[field], stored[field]))
}

function isEqual(one: unknown, other: unknown): boolean {
  if (one instanceof Date && other instanceof Date) return one.getTime() === other.getTime()
  if (!Array.isArray(one) || !Array.isArray(other)) return one === other
  // The directory keeps no order among the values of an attribute.
  return one.length === other.length && new Set(one).symmetricDifference(new Set(other)).size === 0
}
