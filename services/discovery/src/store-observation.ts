import { PermanentError } from '@gatehouse/messages'
import {
  countObserved,
  markMailboxesVanished,
  markPartnershipsVanished,
  readStoredMailboxes,
  readStoredPartnerships,
  storeMailboxes,
  storePartnerships,
} from '@gatehouse/store'
import type { DiscoveryDeps, Organization } from './discovery-deps.ts'
import { isListShrunk, isShrinkConfirmed } from './is-list-shrunk.ts'
import { joinPartnerships } from './join-partnerships.ts'
import { planPublishedMailboxes } from './plan-published-mailboxes.ts'
import type { BulkLists } from './read-bulk-lists.ts'

export type Stored = { publishedIds: ReadonlySet<string>; counts: Record<string, number> }

/**
 * Stores what was read and marks what is gone; gives the mailboxes to publish.
 * @throws PermanentError `exchange-list-shrunk`: the lists are too short to be believed, and nothing was stored.
 */
export async function storeObservation(
  lists: BulkLists,
  o: { organization: Organization; syncType: 'fullSync' | 'deltaSync'; runId: string; pool: DiscoveryDeps['pool'] },
): Promise<Stored> {
  const { organization, pool, runId } = o
  const { observedAt } = lists
  const organizationId = organization.id
  await refuseShrunk(lists, organization, pool)
  const { mailboxes, partnerships, orphans } = joinPartnerships(lists.mailboxes.mailboxes, lists.devices.devices)
  const [storedMailboxes, storedPartnerships] = await Promise.all([
    readStoredMailboxes(pool, organizationId),
    readStoredPartnerships(pool, organizationId),
  ])
  const keptIds = guidsOf([...lists.devices.rejected, ...orphans])
  const publishedIds = planPublishedMailboxes({
    syncType: o.syncType,
    runId,
    observed: { mailboxes, partnerships },
    stored: { mailboxes: storedMailboxes, partnerships: storedPartnerships },
    keptIds,
    isComplete: lists.devices.complete,
  })
  await Promise.all([
    storeMailboxes(pool, { organizationId, observedAt, runId, mailboxes, publishedIds }),
    storePartnerships(pool, { organizationId, observedAt, partnerships }),
  ])
  const vanished = { mailboxes: 0, devices: 0 }
  if (lists.devices.complete)
    vanished.devices = await markPartnershipsVanished(pool, { organizationId, observedAt, keptIds: [...keptIds] })
  if (lists.mailboxes.complete) {
    const kept = [...guidsOf(lists.mailboxes.rejected)]
    vanished.mailboxes = (await markMailboxesVanished(pool, { organizationId, observedAt, keptIds: kept })).length
  }
  const rejected = lists.devices.rejected.length + lists.mailboxes.rejected.length
  return {
    publishedIds,
    counts: {
      mailboxes: publishedIds.size,
      devices: partnerships.length,
      mailboxesRead: mailboxes.length,
      rejected,
      orphans: orphans.length,
      vanishedDevices: vanished.devices,
      vanishedMailboxes: vanished.mailboxes,
    },
  }
}

async function refuseShrunk(lists: BulkLists, organization: Organization, pool: DiscoveryDeps['pool']): Promise<void> {
  const before = await countObserved(pool, organization.id)
  const now = { devices: lists.devices.devices.length, mailboxes: lists.mailboxes.mailboxes.length }
  const isShrunk =
    isListShrunk({ before: before.partnerships, now: now.devices }) ||
    isListShrunk({ before: before.mailboxes, now: now.mailboxes })
  const isConfirmed = isShrinkConfirmed({ refused: organization.refusedDevices, now: now.devices })
  organization.refusedDevices = isShrunk ? now.devices : undefined
  if (!isShrunk || isConfirmed) return
  throw new PermanentError(
    'exchange-list-shrunk',
    `Exchange lists ${now.devices} devices of ${now.mailboxes} mailboxes where there were ${before.partnerships} of ${before.mailboxes}; the same answer at the next sync will be believed`,
    { detail: { scope: 'organization' } },
  )
}

function guidsOf(rows: readonly { guid: string | undefined }[]): Set<string> {
  return new Set(rows.flatMap(({ guid }) => (guid === undefined ? [] : [guid])))
}
