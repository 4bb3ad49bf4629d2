import type { EnforcementMetrics } from './create-enforcement-metrics.ts'
import { EXCHANGE_DRIFT } from './ended-changes.ts'
import type { EnforcementStore } from './enforcement-store.ts'

/** The same store; what it has recorded is counted. */
export function countRecords(store: EnforcementStore, metrics: EnforcementMetrics): EnforcementStore {
  return {
    ...store,
    async record(record) {
      await store.record(record)
      const { organizationId, outcome, change, verifiedIds, superseded } = record
      if (outcome === 'written')
        metrics.written(organizationId, change?.durationMs === undefined ? undefined : change.durationMs / 1_000)
      if (outcome === 'failed') metrics.failed(organizationId)
      if (verifiedIds.length > 0) metrics.verified(organizationId, verifiedIds.length)
      if (superseded.problem?.code === EXCHANGE_DRIFT) metrics.drifted(organizationId)
    },
  }
}
