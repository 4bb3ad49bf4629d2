import { PermanentError, RetryableError } from '@gatehouse/messages'
import type { DirectoryUser, ManagedDevice } from './graph.ts'
import { createPageWalk, type PageWalk, WALK_ROWS_MAX } from './page-walk.ts'
import { untilAborted } from './until-aborted.ts'

const WALKS_MAX = 4
const AGE_MS_MAX = 30 * 60_000
/** A page that keeps failing: its link may have grown stale, and only a new walk gets another. */
const FAILURES_MAX = 3

/** One list of a walk, and how often the walk had failed when the list was last handed out. */
type Slot<Row> = { walk: PageWalk<Row> | undefined; handedOutAfter: number | undefined; running: Promise<void> | undefined }
type Walk = { startedAt: number; failures: number; devices: Slot<ManagedDevice>; members: Map<string, Slot<DirectoryUser>> }

export type WalkMemory = ReturnType<typeof createWalkMemory>

/**
 * Keeps what a walk has read, so that a throttled one goes on instead of beginning anew: with every tenth request throttled, a
 * list of fifty pages would otherwise never end. A finished list is handed out again only if another list of the same walk has
 * failed since; whoever asks again without that does not believe the answer, and gets a new one.
 */
export function createWalkMemory(now: () => number = () => performance.now()) {
  const walks = new Map<string, Walk>()

  function open(name: string): Walk {
    for (const [key, walk] of walks) if (now() - walk.startedAt > AGE_MS_MAX) walks.delete(key)
    const walk = walks.get(name) ?? { startedAt: now(), failures: 0, devices: createSlot<ManagedDevice>(), members: new Map() }
    // Last in the map is the one used last.
    walks.delete(name)
    walks.set(name, walk)
    for (const key of walks.keys()) {
      if (key === name || (walks.size <= WALKS_MAX && countRows(walks) <= WALK_ROWS_MAX)) break
      walks.delete(key)
    }
    return walk
  }

  function slotOf(walk: Walk, groupId: string): Slot<DirectoryUser> {
    const slot = walk.members.get(groupId) ?? createSlot<DirectoryUser>()
    walk.members.set(groupId, slot)
    return slot
  }

  async function run<Row>(walk: Walk, slot: Slot<Row>, o: RunOptions<Row>, signal: AbortSignal): Promise<PageWalk<Row>> {
    while (slot.running !== undefined) await untilAborted(slot.running, signal)
    const failuresBefore = walk.failures
    const isAskedAgain = slot.walk?.next === undefined && slot.handedOutAfter === failuresBefore
    const pages = slot.walk === undefined || isAskedAgain ? createPageWalk<Row>(o.first, now()) : slot.walk
    slot.walk = pages
    const { promise, resolve } = Promise.withResolvers<void>()
    slot.running = promise
    try {
      if (pages.next !== undefined) await o.advance(pages, signal)
      slot.handedOutAfter = failuresBefore
      return pages
    } catch (error) {
      walk.failures += 1
      if (!canGoOn(pages, error)) slot.walk = undefined
      throw error
    } finally {
      slot.running = undefined
      resolve()
    }
  }

  return {
    devices: (name: string, o: RunOptions<ManagedDevice>, signal: AbortSignal) => {
      const walk = open(name)
      return run(walk, walk.devices, o, signal)
    },
    members: (name: string, groupId: string, o: RunOptions<DirectoryUser>, signal: AbortSignal) => {
      const walk = open(name)
      return run(walk, slotOf(walk, groupId), o, signal)
    },
    /** Whether something read would be used again. */
    holdsAny: () => [...walks.values()].some((walk) => slotsOf(walk).some((slot) => isOfUse(slot, walk.failures))),
    /** Forgets everything read so far; what is being read goes on. */
    clear: () => walks.clear(),
  }
}

type RunOptions<Row> = { first: string; advance: (walk: PageWalk<Row>, signal: AbortSignal) => Promise<void> }

function createSlot<Row>(): Slot<Row> {
  return { walk: undefined, handedOutAfter: undefined, running: undefined }
}

function canGoOn<Row>(pages: PageWalk<Row>, error: unknown): boolean {
  if (error instanceof PermanentError) return false
  if (error instanceof RetryableError && error.code === 'graph-page-expired') return false
  if (!(error instanceof RetryableError) || error.code === 'graph-throttled') return true
  pages.failures += 1
  return pages.failures < FAILURES_MAX
}

function slotsOf(walk: Walk): Slot<unknown>[] {
  return [walk.devices, ...walk.members.values()] as Slot<unknown>[]
}

function isOfUse(slot: Slot<unknown>, failures: number): boolean {
  if (slot.walk === undefined) return false
  return slot.walk.next !== undefined || slot.handedOutAfter !== failures
}

function countRows(walks: ReadonlyMap<string, Walk>): number {
  let rows = 0
  for (const walk of walks.values()) for (const slot of slotsOf(walk)) rows += slot.walk?.rows.size ?? 0
  return rows
}
