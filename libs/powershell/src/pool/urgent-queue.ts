/** How many urgent jobs go before a waiting bulk job gets its turn. */
const URGENT_IN_A_ROW_MAX = 8

type Priority = 'urgent' | 'bulk'

/** Jobs waiting for a shell: urgent before bulk, but one in nine is bulk while any waits; within each first come, first served. */
export class UrgentQueue {
  // A Set keeps the order of insertion and removes from anywhere at once.
  private readonly waiting: Record<Priority, Set<number>> = { urgent: new Set(), bulk: new Set() }
  private urgentInARow = 0

  get size(): number {
    return this.waiting.urgent.size + this.waiting.bulk.size
  }

  add(jobId: number, priority: Priority): void {
    this.waiting[priority].add(jobId)
  }

  /** Before those that came later: jobs are numbered in the order they came, and two that were taken may come back in any order. */
  addFirst(jobId: number, priority: Priority): void {
    this.waiting[priority] = new Set([jobId, ...this.waiting[priority]].sort((one, other) => one - other))
  }

  remove(jobId: number): boolean {
    return this.waiting.urgent.delete(jobId) || this.waiting.bulk.delete(jobId)
  }

  take(): number | undefined {
    const { urgent, bulk } = this.waiting
    const bulkIsDue = bulk.size > 0 && (urgent.size === 0 || this.urgentInARow >= URGENT_IN_A_ROW_MAX)
    const from = bulkIsDue ? bulk : urgent
    this.urgentInARow = bulkIsDue ? 0 : this.urgentInARow + 1
    for (const jobId of from) {
      from.delete(jobId)
      return jobId
    }
    return undefined
  }
}
