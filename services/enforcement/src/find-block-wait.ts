import { type AccessChangePlan, deviceIdKey, type MailboxToEnforce } from '@gatehouse/store'

/**
 * What a block has to wait for. `go`: nothing, any more; `announcedId` is the change whose notice went first. `announce`: the
 * notice. `remind`: the notice, of which nobody has taken note for a long time, or may never have been told.
 */
export type BlockWait =
  | { kind: 'go'; announcedId: string | undefined }
  | { kind: 'wait'; afterMs: number; reason: string }
  | { kind: 'announce' }
  | { kind: 'remind'; announcedId: string; afterMs: number }

const COUNTING_MS = 1_000
const HELD_MS = 5_000
const NOTICE_MS_MIN = 500
const NOTICE_MS_MAX = 5_000
const REMIND_AFTER_MS = 30_000

/** Brake first, then the notice. A run that nobody has counted yet lets no block through. */
export function findBlockWait(o: {
  state: Pick<MailboxToEnforce, 'brake' | 'changes'>
  plan: AccessChangePlan
  noticeWaitMs: number
  /** Whoever had this message before may have died between writing that it announces and saying so. */
  isRedelivered: boolean
}): BlockWait {
  const { brake } = o.state
  if (brake !== 'released' && brake !== 'confirmed')
    return {
      kind: 'wait',
      afterMs: brake === 'held' ? HELD_MS : COUNTING_MS,
      reason: brake === 'held' ? 'brake-held' : 'brake',
    }
  const announced = o.state.changes.findLast((change) => change.state === 'announced' && blocksTheSame(change.plan, o.plan))
  if (o.noticeWaitMs === 0) return { kind: 'go', announcedId: announced?.id }
  if (announced === undefined) return { kind: 'announce' }
  const ageMs = announced.announced_ms ?? 0
  const isSettled = announced.notice_state !== null && SETTLED.has(announced.notice_state)
  if (isSettled || ageMs >= o.noticeWaitMs) return { kind: 'go', announcedId: announced.id }
  // Waits longer the longer it has waited: thousands of announced blocks must not keep the worker busy with asking.
  const afterMs = Math.round(Math.min(Math.max(NOTICE_MS_MIN, ageMs / 2), NOTICE_MS_MAX, o.noticeWaitMs - ageMs + 1))
  if (announced.notice_state === null && (o.isRedelivered || ageMs >= REMIND_AFTER_MS))
    return { kind: 'remind', announcedId: announced.id, afterMs }
  return { kind: 'wait', afterMs, reason: 'notice-pending' }
}

const SETTLED: ReadonlySet<string> = new Set(['sent', 'suppressed', 'failed'])

function blocksTheSame(one: AccessChangePlan, other: AccessChangePlan): boolean {
  const keys = new Set(one.blockAdd.map(deviceIdKey))
  return keys.size === other.blockAdd.length && other.blockAdd.every((id) => keys.has(deviceIdKey(id)))
}
