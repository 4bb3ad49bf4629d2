import { readConnectors, readRuns, readWorkerStates } from '@gatehouse/store'
import type { WorkerState } from '@gatehouse/worker'
import type { FastifyInstance } from 'fastify'
import { planStatus } from '../status/plan-status.ts'
import type { ApiDeps } from './api-deps.ts'

const RUNS_LOOKED_AT = 50

/** What waits where, what is in hand, and what holds it up. */
export function registerStatus(app: FastifyInstance, deps: ApiDeps): void {
  app.get('/api/status', async () => {
    const [depths, workers, connectors, runs] = await Promise.all([
      deps.readDepths(deps.signal).catch((error: unknown) => {
        deps.log.warn({ err: error }, 'The queues could not be looked at')
        return undefined
      }),
      readWorkerStates<WorkerState>(deps.db),
      readConnectors(deps.db),
      readRuns(deps.db, { top: RUNS_LOOKED_AT, skip: 0 }),
    ])
    const nameOf = (id: string): string => connectors.find((one) => one.organization_id === id)?.name ?? id
    const heldRuns = runs
      .filter((run) => run.status === 'held')
      .map((run) => ({ ...run, organization: nameOf(run.organization_id) }))
    return planStatus({ nowMs: deps.now().getTime(), depths, workers, heldRuns })
  })
}
