import type { MessageContext } from '@gatehouse/broker'
import { type ComplianceLookupRefresh, done, later, type Outcome, PermanentError, RetryableError } from '@gatehouse/messages'
import { isChangeFeedReadFor, readRunReadiness } from '@gatehouse/store'
import type { ComplianceLookupDeps } from './compliance-lookup-deps.ts'
import { decideChangedMailboxes } from './decide-changed-mailboxes.ts'
import { judgeGraphFailure } from './judge-graph-failure.ts'
import { refreshChanges, storeDeltaLink } from './refresh-changes.ts'
import { refreshEverything } from './refresh-everything.ts'

const BUSY_MS = 1_000

type Refresh = {
  readonly message: ComplianceLookupRefresh
  readonly context: MessageContext
  readonly deps: ComplianceLookupDeps
  readonly signal: AbortSignal
}

/** Reads Intune and Entra again. One copy refreshes at a time; safe to run twice, the second time finds it done. */
export async function handleRefresh(
  message: ComplianceLookupRefresh,
  context: MessageContext,
  deps: ComplianceLookupDeps,
  signal: AbortSignal,
): Promise<Outcome> {
  using lock = await deps.locks.tryLock('graph-refresh')
  if (lock === undefined) return later(BUSY_MS, 'refresh-running')
  const refresh: Refresh = { message, context, deps, signal: AbortSignal.any([signal, lock.signal]) }
  try {
    await progress(
      refresh,
      'looked-up',
      message.kind === 'full' ? await lookUpEverything(refresh) : await lookUpChanges(refresh),
    )
    return done
  } catch (error) {
    return await settleFailure(refresh, error)
  }
}

/** Runs of several organisations begin together: one read serves them all. */
async function lookUpEverything({ message, deps, signal }: Refresh): Promise<Record<string, number>> {
  const run = await readRunReadiness(deps.pool, message.syncRunId)
  if (run?.is_ready === true) return {}
  const startedAt = performance.now()
  const counts = await refreshEverything({ syncRunId: message.syncRunId, feed: 'goes-on' }, deps, signal)
  const durationMs = Math.round(performance.now() - startedAt)
  deps.log.info({ counts, syncRunId: message.syncRunId, durationMs }, 'Looked up')
  return counts
}

/** So does one look at the changes: it has decided the mailboxes of all organisations, each for the run that is open there. */
async function lookUpChanges(refresh: Refresh): Promise<Record<string, number>> {
  const { message, context, deps, signal } = refresh
  const { syncRunId } = message
  if (await isChangeFeedReadFor(deps.pool, syncRunId)) return {}
  const changed = await refreshChanges(deps, signal)
  if (changed === undefined) return await refreshEverything({ syncRunId, feed: 'begins-anew' }, deps, signal)
  // Somebody has just become compliant and waits: these do not stand behind a bulk sync.
  await decideChangedMailboxes(changed.mailboxes, { syncRunId, context: { ...context, lane: 'urgent' }, deps, signal })
  await storeDeltaLink(deps, changed, syncRunId)
  return changed.counts
}

/** What an administrator has to put right ends the run at once; everything else is tried again, and ends it at the last attempt. */
async function settleFailure(refresh: Refresh, error: unknown): Promise<Outcome> {
  const {
    message: { syncRunId },
    context,
    deps,
    signal,
  } = refresh
  signal.throwIfAborted()
  deps.noteFailure(error)
  // Graph says itself when it will answer again.
  if (error instanceof RetryableError && error.code === 'graph-throttled') throw error
  const isPermanent = error instanceof PermanentError
  const code = isPermanent || error instanceof RetryableError ? error.code : 'unexpected'
  // While Graph is down nothing spends an attempt, so this is never the last one.
  const isOver = isPermanent || (context.attempt >= deps.maxAttempts && judgeGraphFailure(error) === undefined)
  deps.log.warn({ err: error, code, isOver, syncRunId, attempt: context.attempt }, 'Reading Graph failed')
  const message = error instanceof Error ? error.message.slice(0, 1_000) : String(error)
  await progress(refresh, isOver ? 'failed' : 'looking-up', {}, { code, message })
  if (isPermanent) return done
  throw error
}

async function progress(
  { message, context, deps, signal }: Refresh,
  stage: 'looking-up' | 'looked-up' | 'failed',
  counts: Record<string, number>,
  problem?: { code: string; message: string },
): Promise<void> {
  const fields = { syncRunId: message.syncRunId, stage, counts, ...(problem && { problem }) }
  await deps.broker.publish('sync.progressed', fields, { lane: context.lane, causedBy: context, signal })
}
