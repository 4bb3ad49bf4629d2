import { insertAudit, type Row, readOrganizations, setReportOnly } from '@gatehouse/store'
import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import { actorOf } from './actor-of.ts'
import type { ApiDeps } from './api-deps.ts'
import { Id } from './page.ts'
import { notFound } from './problem.ts'

const ReportOnly = z.strictObject({ reportOnly: z.boolean() })

/** The Exchange organisations and the switch of their report-only mode. */
export function registerOrganizations(app: FastifyInstance, deps: ApiDeps): void {
  app.get('/api/organizations', async () => ({ value: (await readOrganizations(deps.db)).map(organizationView) }))

  app.get('/api/organizations/:id/reportOnly', async (request, reply) => {
    const { id } = Id.parse(request.params)
    const organization = (await readOrganizations(deps.db)).find((one) => one.id === id)
    return organization === undefined ? notFound(reply, 'organization') : { reportOnly: organization.report_only }
  })

  app.post('/api/organizations/:id/reportOnly', async (request, reply) => {
    const { id } = Id.parse(request.params)
    const { reportOnly } = ReportOnly.parse(request.body)
    const organization = await deps.db.transaction().execute(async (transaction) => {
      const changed = await setReportOnly(transaction, id, reportOnly)
      if (changed === undefined) return undefined
      const detail = { reportOnly }
      await insertAudit(transaction, {
        actor: actorOf(request),
        action: 'organization.report-only',
        subject: id,
        detail,
        at: deps.now(),
      })
      return changed
    })
    if (organization === undefined) return notFound(reply, 'organization')
    deps.log.info({ organizationId: id, reportOnly }, 'Report-only mode switched')
    return organizationView(organization)
  })
}

function organizationView(organization: Row<'organizations'>) {
  return {
    id: organization.id,
    name: organization.name,
    reportOnly: organization.report_only,
    createdAt: organization.created_at,
  }
}
