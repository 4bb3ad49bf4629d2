import type { MessageContext } from '@gatehouse/broker'
import type { Exchange } from '@gatehouse/exchange'
import { type DiscoverySync, done, later, type Outcome, PermanentError, RetryableError } from '@gatehouse/messages'
import { analyzeTables } from '@gatehouse/store'
import type { DiscoveryDeps, Organization } from './discovery-deps.ts'
import { type BulkLists, readBulkLists } from './read-bulk-lists.ts'
import { readServers, readSettings } from './read-organization-facts.ts'
import { storeObservation } from './store-observation.ts'

const BUSY_MS = 5_000

type Sync = {
  readonly message: DiscoverySync
  readonly context: MessageContext
  readonly deps: DiscoveryDeps
  readonly organization: Organization
  readonly signal: AbortSignal
}

/** What it was at when it failed: not to get a connection is never the fault of one sync. */
type During = 'connect' | 'anything'

/**
 * Reads the devices and mailboxes of one organisation, stores them and publishes the mailboxes to decide. Safe to run twice:
 * it reads everything again and publishes the same mailboxes.
 */
export async function handleDiscoverySync(
  message: DiscoverySync,
  context: MessageContext,
  deps: DiscoveryDeps,
  signal: AbortSignal,
): Promise<Outcome> {
  const organization = deps.organizations.get(message.organizationId)
  if (organization === undefined)
    throw new PermanentError('organization-unknown', 'The organisation is not in the settings of this worker')
  using lock = await deps.locks.tryLock(`discovery:${organization.id}`)
  if (lock === undefined) return later(BUSY_MS, 'sync-running')
  const waitMs = organization.breaker.tryPass()
  if (waitMs > 0) return later(waitMs, 'exchange-paused')
  const sync: Sync = { message, context, deps, organization, signal: AbortSignal.any([signal, lock.signal]) }
  const startedAt = performance.now()
  let during: During = 'anything'
  try {
    await progress(sync, 'discovering', {})
    during = 'connect'
    const exchange = await organization.connect(sync.signal)
    during = 'anything'
    await run(sync, exchange, startedAt)
    organization.breaker.succeeded()
    return done
  } catch (error) {
    return await settleFailure(sync, error, during)
  }
}

async function run(sync: Sync, exchange: Exchange, startedAt: number): Promise<void> {
  const { message, deps, organization, signal } = sync
  const lists = await readBulkLists(exchange, { pool: deps.pool, isParallel: organization.isParallel, signal })
  const readMs = Math.round(performance.now() - startedAt)
  const stored = await storeObservation(lists, {
    organization,
    syncType: message.syncType,
    runId: message.syncRunId,
    pool: deps.pool,
  })
  const storedMs = Math.round(performance.now() - startedAt)
  const facts = message.syncType === 'fullSync' ? startFacts(sync, exchange, lists) : undefined
  await Promise.all([
    publishMailboxes(sync, stored.publishedIds),
    facts === undefined ? undefined : analyzeTables(deps.pool, ['mailboxes', 'device_partnerships']),
  ])
  const counts = { ...stored.counts, ...(await facts?.servers) }
  await progress(sync, 'discovered', counts)
  const publishedMs = Math.round(performance.now() - startedAt)
  const { syncRunId } = message
  const organizationId = organization.id
  deps.log.info({ organizationId, syncRunId, counts, readMs, storedMs, publishedMs }, 'Discovered')
  for (const row of [...lists.devices.rejected, ...lists.mailboxes.rejected].slice(0, 20))
    deps.log.warn({ organizationId, row }, 'Exchange gave a row that is not what it promises')
  await facts?.settings
}

/**
 * What a full sync reads besides the lists, while the mailboxes are already flowing. Its failure does not take back what was
 * discovered: it is logged and read again next time.
 */
function startFacts(sync: Sync, exchange: Exchange, lists: BulkLists) {
  const { organization, deps, signal } = sync
  const facts = { exchange, organization, observedAt: lists.observedAt, deps, signal }
  const warn = (error: unknown): Record<string, number> => {
    deps.log.warn({ err: error, organizationId: organization.id }, 'Reading the servers or settings of Exchange failed')
    return {}
  }
  const servers = readServers(facts).catch(warn)
  const settings = servers.then(() => readSettings(facts)).catch(warn)
  return { servers, settings }
}

async function publishMailboxes(sync: Sync, ids: ReadonlySet<string>): Promise<void> {
  const { message, context, deps, organization, signal } = sync
  const queue = ids.values()
  const publishNext = async () => {
    for (const mailboxId of queue) {
      const fields = { organizationId: organization.id, mailboxId, syncRunId: message.syncRunId }
      await deps.broker.publish('mailbox.observed', fields, { lane: context.lane, causedBy: context, signal })
    }
  }
  await Promise.all(Array.from({ length: deps.publishMax }, publishNext))
}

/**
 * What an administrator has to put right ends the run at once. An Exchange that is down is waited for, and spends no attempts.
 * Everything else is tried again, and ends the run at the last attempt.
 */
async function settleFailure(sync: Sync, error: unknown, during: During): Promise<Outcome> {
  const { context, deps, organization, signal } = sync
  // Unless Exchange turns out to be down, this tells nothing of it: let the next one find out.
  organization.breaker.interrupted()
  signal.throwIfAborted()
  organization.noteFailure(error)
  // Shells come free again by themselves; waiting for one is nobody's failure.
  if (error instanceof RetryableError && error.detail['scope'] === 'account')
    return later(error.retryAfterMs ?? BUSY_MS, 'shells-exhausted')
  const isPermanent = error instanceof PermanentError
  const code = isPermanent || error instanceof RetryableError ? error.code : 'unexpected'
  const message = error instanceof Error ? error.message.slice(0, 1_000) : String(error)
  if (!isPermanent && isDown(error, during)) {
    deps.log.warn({ err: error, organization: organization.name, code }, 'Exchange is down; the sync waits for it')
    organization.breaker.failed(error.retryAfterMs, message)
    await progress(sync, 'discovering', {}, { code, message })
    return later(organization.breaker.waitMs(), 'exchange-paused')
  }
  const isOver = isPermanent || context.attempt >= deps.maxAttempts
  const about = { organizationId: organization.id, syncRunId: sync.message.syncRunId, attempt: context.attempt }
  deps.log.warn({ ...about, err: error, code, isOver }, 'Reading Exchange failed')
  await progress(sync, isOver ? 'failed' : 'discovering', {}, { code, message })
  if (code === 'exchange-authentication-failed') await organization.disconnect()
  if (isPermanent) return done
  throw error
}

function isDown(error: unknown, during: During): error is RetryableError {
  if (!(error instanceof RetryableError)) return false
  const scope = error.detail['scope']
  return during === 'connect' || scope === 'organization' || scope === 'server'
}

async function progress(
  { message, context, deps, organization, signal }: Sync,
  stage: 'discovering' | 'discovered' | 'failed',
  counts: Record<string, number>,
  problem?: { code: string; message: string },
): Promise<void> {
  const fields = { syncRunId: message.syncRunId, stage, counts, organizationId: organization.id, ...(problem && { problem }) }
  await deps.broker.publish('sync.progressed', fields, { lane: context.lane, causedBy: context, signal })
}
