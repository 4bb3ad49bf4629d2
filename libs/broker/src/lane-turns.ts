import type { Lane } from '@gatehouse/messages'

/** Bulk gets one turn in this many even while urgent messages wait. */
const BULK_EVERY = 8

export type LaneCounts = {
  readonly waitingUrgent: number
  readonly waitingBulk: number
  readonly runningBulk: number
  readonly freeSlots: number
  readonly slots: number
}

/**
 * Whose turn it is: urgent first. So that a stream of urgent messages cannot starve a sync, bulk gets one turn in eight, and
 * the last free slot if it holds none.
 */
export class LaneTurns {
  private urgentInARow = 0

  /** The lane to take the next message from, or undefined when nothing waits. Counts the turn as taken. */
  next(counts: LaneCounts): Lane | undefined {
    const lane = this.choose(counts)
    if (lane === 'urgent') this.urgentInARow += counts.waitingBulk > 0 ? 1 : 0
    if (lane === 'bulk') this.urgentInARow = 0
    return lane
  }

  private choose({ waitingUrgent, waitingBulk, runningBulk, freeSlots, slots }: LaneCounts): Lane | undefined {
    if (waitingUrgent === 0) return waitingBulk > 0 ? 'bulk' : undefined
    if (waitingBulk === 0) return 'urgent'
    const isLastSlotForBulk = slots > 1 && freeSlots === 1 && runningBulk === 0
    return isLastSlotForBulk || this.urgentInARow >= BULK_EVERY - 1 ? 'bulk' : 'urgent'
  }
}
