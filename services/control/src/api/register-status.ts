import { readConnectors, readReplays, readRuns, readWorkerStates } from '@gatehouse/store'
import type { WorkerState } from '@gatehouse/worker'
import type { FastifyInstance } from 'fastify'
import { planStatus } from '../status/plan-status.ts'
import type { ApiDeps } from './api-deps.ts'

const RUNS_LOOKED_AT = 50
const REPLAYS_LOOKED_AT = 20
/** A replay that was stopped longer ago is no news. */
const STOPPED_MS_MAX = 24 * 3_600_000

/** What waits where, what is in hand, and what holds it up. */
export function registerStatus(app: FastifyInstance, deps: ApiDeps): void {
  app.get('/api/status', async () => {
    const nowMs = deps.now().getTime()
    const [depths, workers, connectors, runs, replays] = await Promise.all([
      deps.readDepths(deps.signal).catch((error: unknown) => {
        deps.log.warn({ err: error }, 'The queues could not be looked at')
        return undefined
      }),
      readWorkerStates<WorkerState>(deps.db),
      readConnectors(deps.db),
      readRuns(deps.db, { top: RUNS_LOOKED_AT, skip: 0 }),
      readReplays(deps.db, { top: REPLAYS_LOOKED_AT, skip: 0 }),
    ])
    const nameOf = (id: string): string => connectors.find((one) => one.organization_id === id)?.name ?? id
    const heldRuns = runs
      .filter((run) => run.status === 'held')
      .map((run) => ({ ...run, organization: nameOf(run.organization_id) }))
    const isNews = (endedAt: Date | null): boolean => nowMs - (endedAt?.getTime() ?? nowMs) < STOPPED_MS_MAX
    const open = replays.filter(({ state, finished_at }) => state !== 'finished' && isNews(finished_at))
    return planStatus({ nowMs, depths, workers, heldRuns, replays: open })
  })
}
