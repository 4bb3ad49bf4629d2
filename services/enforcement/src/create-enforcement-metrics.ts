import { Counter, Histogram, type Registry } from '@gatehouse/worker'

/** Of a cmdlet of 50 ms and of one that is about to be given up. */
const CMDLET_SECONDS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120]

export type EnforcementMetrics = {
  written(organizationId: string, seconds: number | undefined): void
  failed(organizationId: string): void
  verified(organizationId: string, changes: number): void
  drifted(organizationId: string): void
}

/** What became of changes, as Prometheus series. `names`: the organisations by their ids; all series are there from the start. */
export function createEnforcementMetrics(registry: Registry, names: ReadonlyMap<string, string>): EnforcementMetrics {
  const options = { labelNames: ['organization'], registers: [registry] }
  const writes = new Counter({
    name: 'gatehouse_access_writes_total',
    help: 'Mailboxes whose lists were changed in Exchange (written), and that were given up (failed)',
    labelNames: ['organization', 'outcome'],
    registers: [registry],
  })
  const seconds = new Histogram({
    ...options,
    name: 'gatehouse_access_write_seconds',
    help: 'Time that Exchange took for the cmdlet of a change, without waiting for a runspace',
    buckets: CMDLET_SECONDS,
  })
  const verified = new Counter({
    ...options,
    name: 'gatehouse_access_writes_verified_total',
    help: 'Changes that a later read of Exchange has shown',
  })
  const drifted = new Counter({
    ...options,
    name: 'gatehouse_access_drifts_total',
    help: 'Mailboxes in which a later read of Exchange did not show what was written: somebody else has been there',
  })
  for (const organization of names.values()) {
    for (const outcome of ['written', 'failed']) writes.inc({ organization, outcome }, 0)
    seconds.zero({ organization })
    verified.inc({ organization }, 0)
    drifted.inc({ organization }, 0)
  }
  const of = (id: string): string => names.get(id) ?? 'unknown'
  return {
    written(id, took) {
      writes.inc({ organization: of(id), outcome: 'written' })
      if (took !== undefined) seconds.observe({ organization: of(id) }, took)
    },
    failed: (id) => writes.inc({ organization: of(id), outcome: 'failed' }),
    verified: (id, changes) => verified.inc({ organization: of(id) }, changes),
    drifted: (id) => drifted.inc({ organization: of(id) }),
  }
}
