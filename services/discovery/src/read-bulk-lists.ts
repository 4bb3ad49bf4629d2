import type { Exchange } from '@gatehouse/exchange'
import { readDatabaseClock } from '@gatehouse/store'
import type { DiscoveryDeps } from './discovery-deps.ts'

export type BulkLists = {
  /** Before either read was sent, by PostgreSQL's clock: every write confirmed after it may not be in the lists. */
  observedAt: Date
  devices: Awaited<ReturnType<Exchange['readMobileDevices']>>
  mailboxes: Awaited<ReturnType<Exchange['readCasMailboxes']>>
}

/** The two lists everything else follows from; side by side when the account may have two shells for them. */
export async function readBulkLists(
  exchange: Exchange,
  o: { pool: DiscoveryDeps['pool']; isParallel: boolean; signal: AbortSignal },
): Promise<BulkLists> {
  const observedAt = await readDatabaseClock(o.pool)
  if (!o.isParallel) {
    const devices = await exchange.readMobileDevices(o.signal)
    return { observedAt, devices, mailboxes: await exchange.readCasMailboxes(o.signal) }
  }
  const stop = new AbortController()
  const signal = AbortSignal.any([o.signal, stop.signal])
  const reads = [exchange.readMobileDevices(signal), exchange.readCasMailboxes(signal)] as const
  try {
    const [devices, mailboxes] = await Promise.all(reads)
    return { observedAt, devices, mailboxes }
  } catch (error) {
    stop.abort(error)
    await Promise.allSettled(reads)
    throw error
  }
}
