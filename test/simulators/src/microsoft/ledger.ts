/** What was asked of the simulator. Tests and benches read it as GET /__simulator/state. */
export type Ledger = ReturnType<typeof createLedger>

export function createLedger() {
  const requests: Record<string, number> = {}
  const batched: Record<string, number> = {}
  const refusals: Record<string, number> = {}
  const counts = { graphRequests: 0, batchedRequests: 0, tokens: 0, throttled: 0, tooEarly: 0, ignoredFilters: 0 }
  const add = (table: Record<string, number>, key: string) => {
    table[key] = (table[key] ?? 0) + 1
  }

  return {
    counts,
    /** Every request that reaches Graph counts, answered or refused; one batch is one request. */
    countRequest(kind: string, isInBatch: boolean): void {
      add(isInBatch ? batched : requests, kind)
      if (isInBatch) counts.batchedRequests += 1
      else counts.graphRequests += 1
    },
    countRefusal(code: string): void {
      add(refusals, code)
    },
    read: () => ({ ...counts, requests: { ...requests }, batched: { ...batched }, refusals: { ...refusals } }),
  }
}
