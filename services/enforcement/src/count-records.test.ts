import type { EnforcementRecord } from '@gatehouse/store'
import { createMetrics } from '@gatehouse/worker'
import { expect, it } from 'vitest'
import { countRecords } from './count-records.ts'
import { createEnforcementMetrics } from './create-enforcement-metrics.ts'
import type { EnforcementStore } from './enforcement-store.ts'

const record: EnforcementRecord = {
  organizationId: 'o1',
  mailboxId: 'm1',
  syncRunId: 'r1',
  decisionVersion: 1,
  outcome: 'unchanged',
  own: [],
  disown: [],
  verifiedIds: [],
  superseded: { ids: [] },
}

function createStore(recordOne: () => Promise<void>) {
  const registry = createMetrics('enforcement')
  const metrics = createEnforcementMetrics(registry, new Map([['o1', 'contoso']]))
  const store = { record: recordOne } as Partial<EnforcementStore> as EnforcementStore
  return { registry, store: countRecords(store, metrics) }
}

it('counts what was written, given up, verified and found changed by somebody else', async () => {
  const { registry, store } = createStore(() => Promise.resolve())
  const superseded = { ids: ['c2'], problem: { code: 'exchange-drift', message: '' } }

  await store.record({ ...record, outcome: 'written', change: { id: 'c1', state: 'written', durationMs: 2_000 } })
  await store.record({ ...record, outcome: 'failed' })
  await store.record({ ...record, verifiedIds: ['c3', 'c4'], superseded })

  const text = await registry.metrics()
  expect(text).toContain('gatehouse_access_writes_total{organization="contoso",outcome="written",worker="enforcement"} 1')
  expect(text).toContain('gatehouse_access_writes_total{organization="contoso",outcome="failed",worker="enforcement"} 1')
  expect(text).toContain('gatehouse_access_write_seconds_sum{worker="enforcement",organization="contoso"} 2')
  expect(text).toContain('gatehouse_access_writes_verified_total{organization="contoso",worker="enforcement"} 2')
  expect(text).toContain('gatehouse_access_drifts_total{organization="contoso",worker="enforcement"} 1')
})

it('counts nothing that could not be recorded', async () => {
  const { registry, store } = createStore(() => Promise.reject(new Error('The database is away')))

  await expect(store.record({ ...record, outcome: 'written' })).rejects.toThrow('away')

  expect(await registry.metrics()).toContain(
    'gatehouse_access_writes_total{organization="contoso",outcome="written",worker="enforcement"} 0',
  )
})
