import { type Row, RUN_MARKS, readConnectors, readRun, readRuns } from '@gatehouse/store'
import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import { confirmRun } from '../confirm-run.ts'
import { startSyncs } from '../start-sync.ts'
import { actorOf } from './actor-of.ts'
import type { ApiDeps } from './api-deps.ts'
import { Id, Page } from './page.ts'
import { notFound, sendProblem } from './problem.ts'
import { Sync } from './register-connectors.ts'

const Syncs = Sync.extend({ organization: z.string().min(1).max(200).optional() })
const RunsQuery = Page.extend({ organizationId: z.guid().optional() })

/** Syncs: start, follow, and confirm what the brake holds. */
export function registerSyncRuns(app: FastifyInstance, deps: ApiDeps): void {
  app.post('/api/syncs', async (request, reply) => {
    const { syncType, organization, confirmed } = Syncs.parse(request.body)
    const all = await readConnectors(deps.db)
    const chosen = organization === undefined ? all : all.filter((one) => isNamed(one, organization))
    if (chosen.length === 0) return notFound(reply, 'organization')
    const confirmedBy = confirmed ? actorOf(request) : undefined
    const cause = 'manual'
    const requests = chosen.map((one) => ({ organizationId: one.organization_id, syncType, cause, confirmedBy }))
    let failure: unknown
    const runs = await startSyncs(
      requests,
      deps,
      (error) => {
        failure ??= error
      },
      deps.signal,
    )
    if (failure !== undefined) throw failure
    const names = new Map(chosen.map((one) => [one.organization_id, one.name]))
    const value = runs.map(({ id, organization_id: organizationId }) => {
      return { syncRunId: id, organizationId, organization: names.get(organizationId) }
    })
    deps.wake()
    return reply.code(202).send({ value })
  })

  app.get('/api/syncRuns', async (request) => {
    const query = RunsQuery.parse(request.query)
    return { value: (await readRuns(deps.db, query)).map(runView) }
  })

  app.get('/api/syncRuns/:id', async (request, reply) => {
    const run = await readRun(deps.db, Id.parse(request.params).id)
    return run === undefined ? notFound(reply, 'sync run') : runView(run)
  })

  app.post('/api/syncRuns/:id/confirm', async (request, reply) => {
    const answer = await confirmRun(Id.parse(request.params).id, actorOf(request), deps)
    if (answer.kind === 'unknown') return notFound(reply, 'sync run')
    if (answer.kind === 'ended') {
      return sendProblem(reply, {
        status: 409,
        title: 'The run has ended',
        detail: `It has ${answer.run.status}; start another sync`,
      })
    }
    deps.wake()
    return runView(answer.run)
  })
}

function isNamed(connector: { organization_id: string; name: string }, text: string): boolean {
  const wanted = text.trim().toLowerCase()
  return connector.organization_id === wanted || connector.name.toLowerCase() === wanted
}

function runView(run: Row<'sync_runs'>) {
  const counts = Object.fromEntries(Object.entries(run.counts).filter(([name]) => !RUN_MARKS.includes(name)))
  return {
    id: run.id,
    organizationId: run.organization_id,
    syncType: run.sync_type,
    cause: run.cause,
    status: run.status,
    brake: run.brake,
    brakeLimit: run.brake_limit,
    wouldBlock: run.would_block,
    confirmedBy: run.confirmed_by,
    counts,
    problem: run.problem,
    startedAt: run.started_at,
    discoveredAt: run.discovered_at,
    lookedUpAt: run.looked_up_at,
    finishedAt: run.finished_at,
  }
}
