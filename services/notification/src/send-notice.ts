import { mailFailureOf } from '@gatehouse/mail'
import { done, type Lane, later, type Outcome, PermanentError, RetryableError } from '@gatehouse/messages'
import {
  beginSending,
  type NoticeToSend,
  type ProblemJson,
  type Row,
  readNotice,
  settleNotice,
  suppressNotices,
} from '@gatehouse/store'
import { composeNotice } from './compose-notice.ts'
import type { NotificationDeps } from './notification-deps.ts'
import type { Outbox } from './outbox.ts'

const LOCKED_MS = 1_000
const SETTLE_MS = 10_000
const ACCOUNT_MS = 60_000
const UNREACHABLE_MS = 15_000

/**
 * Sends one notice, never twice and never not at all: that it is being sent is committed before it is, and a notice found in
 * that state (we died, or the answer was lost) is looked up in Sent Items by its stamp before it is sent again. The lock of
 * the notice keeps other copies, and a second delivery of the message, away meanwhile; it is read under the lock, because
 * whoever held it before may have sent it.
 */
export async function sendNotice(
  { id, organizationId }: { id: string; organizationId: string },
  deps: NotificationDeps,
  lane: Lane,
  signal: AbortSignal,
): Promise<Outcome> {
  const outbox = deps.outboxes.get(organizationId)
  if (outbox === undefined) {
    await suppressNotices(deps.pool, { id })
    return done
  }
  const pausedMs = outbox.pauseMs(deps.now().getTime())
  if (pausedMs > 0) return later(pausedMs, 'mail-paused')
  using _slot = await outbox.takeSlot(signal)
  const busyMs = outbox.pauseMs(deps.now().getTime())
  if (busyMs > 0) return later(busyMs, 'mail-paused')
  using lock = await deps.locks.tryLock(`notice:${id}`)
  if (lock === undefined) return later(LOCKED_MS, 'notice-locked')
  return await attempt(id, deps, { outbox, lane }, AbortSignal.any([signal, lock.signal]))
}

/** Nothing more will be done about a notice in this state. */
export function isSettled(state: Row<'notices'>['state']): boolean {
  return state === 'sent' || state === 'failed' || state === 'suppressed'
}

/** A block that will not come, and an organisation that has gone into report-only mode, need no mail. One under way is seen through. */
function isMoot(notice: NoticeToSend): boolean {
  if (notice.state === 'sending') return false
  return notice.report_only !== false || notice.change_state === 'superseded' || notice.change_state === 'reported'
}

type Attempt = { outbox: Outbox; lane: Lane }

async function attempt(
  noticeId: string,
  deps: NotificationDeps,
  { outbox, lane }: Attempt,
  signal: AbortSignal,
): Promise<Outcome> {
  const notice = await readNotice(deps.pool, noticeId)
  if (notice === undefined || isSettled(notice.state)) return done
  if (isMoot(notice)) {
    await suppressNotices(deps.pool, { id: noticeId })
    return done
  }
  if (notice.state === 'sending') {
    const settleMs = (deps.settleMs ?? SETTLE_MS) - (notice.attempt_ms ?? 0)
    if (settleMs > 0) return later(Math.ceil(settleMs), 'mail-settling')
    const found = await wasSent(notice, { outbox, deps }, signal)
    if (typeof found === 'object') return found
    if (found) {
      await settleNotice(deps.pool, { id: notice.id, attempt: notice.attempts }, { state: 'sent' })
      outbox.count('sent')
      deps.log.info({ noticeId: notice.id }, 'Found in Sent Items a notice whose answer was lost')
      return done
    }
  }
  const mail = composeNotice(notice, outbox.enrolUrl)
  signal.throwIfAborted()
  const begun = await beginSending(deps.pool, notice, outbox.rate)
  if ('waitMs' in begun) return later(outbox.nextTurnMs(begun.waitMs, lane, deps.now().getTime()), 'mail-rate')
  const which = { id: notice.id, attempt: begun.attempt }
  const startedAt = performance.now()
  try {
    await outbox.sender.send(mail, signal)
    outbox.noteSend({ startedAt, isBusy: false })
  } catch (error) {
    signal.throwIfAborted()
    if (isBusy(error)) outbox.noteSend({ startedAt, isBusy: true })
    return await settleFailure(error, which, { outbox, deps })
  }
  outbox.count('sent')
  outbox.noteSent(deps.now().getTime())
  await settleNotice(deps.pool, which, { state: 'sent' })
  return done
}

type Sending = { outbox: Outbox; deps: NotificationDeps }

/** An outcome when the server does not say. */
async function wasSent(notice: Row<'notices'>, { outbox, deps }: Sending, signal: AbortSignal): Promise<boolean | Outcome> {
  try {
    return await outbox.sender.wasSent(notice.id, signal)
  } catch (error) {
    signal.throwIfAborted()
    const pause = pauseAfter(error, { outbox, deps })
    if (pause === undefined) throw error
    return pause
  }
}

/** The server cannot be reached or asks for rest: that is nothing against this message, and counts for all of them. */
function pauseAfter(error: unknown, { outbox, deps }: Sending): Outcome | undefined {
  const now = deps.now().getTime()
  const { message } = problemOf(error)
  if (isBusy(error)) {
    outbox.pause(error.retryAfterMs, now, message)
    return later(error.retryAfterMs, 'mail-server-busy')
  }
  const { sent, permanent } = mailFailureOf(error)
  if (permanent || sent !== 'no') return undefined
  outbox.pause(UNREACHABLE_MS, now, message)
  return later(UNREACHABLE_MS, 'mail-unreachable')
}

/** What a failed attempt means for the notice, for the organisation's other notices, and for the message. */
async function settleFailure(
  error: unknown,
  which: { id: string; attempt: number },
  { outbox, deps }: Sending,
): Promise<Outcome> {
  const noticeId = which.id
  const { scope, sent, permanent } = mailFailureOf(error)
  const problem = problemOf(error)
  const now = deps.now().getTime()
  if (permanent && scope === 'recipient') {
    outbox.count('refused')
    outbox.noteAnswered(now)
    await settleNotice(deps.pool, which, { state: 'failed', problem })
    deps.log.warn({ noticeId, problem }, 'A notice cannot be delivered')
    return done
  }
  await settleNotice(deps.pool, which, { state: sent === 'no' ? 'pending' : 'sending', problem })
  if (permanent) {
    outbox.count('account')
    if (outbox.noteAccountFailure(noticeId).isProven) outbox.pause(ACCOUNT_MS, now, problem.message)
    deps.log.error({ noticeId, problem }, 'The notification account cannot send: an administrator is needed')
    return later(ACCOUNT_MS, 'mail-account')
  }
  const pause = pauseAfter(error, { outbox, deps })
  outbox.count(pause === undefined ? 'error' : isBusy(error) ? 'busy' : 'unreachable')
  if (pause !== undefined) return pause
  throw error
}

function isBusy(error: unknown): error is RetryableError & { retryAfterMs: number } {
  return error instanceof RetryableError && error.retryAfterMs !== undefined
}

function problemOf(error: unknown): ProblemJson {
  const known = error instanceof PermanentError || error instanceof RetryableError
  const message = error instanceof Error ? error.message : String(error)
  return { code: known ? error.code : 'unexpected', message: message.slice(0, 2_000) }
}
