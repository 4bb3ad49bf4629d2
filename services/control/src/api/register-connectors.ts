import { type ConnectorView, readConnectors } from '@gatehouse/store'
import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import { startSync } from '../start-sync.ts'
import { actorOf } from './actor-of.ts'
import type { ApiDeps } from './api-deps.ts'
import { Id } from './page.ts'
import { notFound } from './problem.ts'

export const Sync = z.strictObject({ syncType: z.enum(['fullSync', 'deltaSync']), confirmed: z.boolean().default(false) })

/** The connectors, by Graph's names (`deviceManagementExchangeConnector`); one for each organisation, with its id. */
export function registerConnectors(app: FastifyInstance, deps: ApiDeps): void {
  app.get('/api/exchangeConnectors', async () => ({ value: (await readConnectors(deps.db)).map(connectorView) }))

  app.get('/api/exchangeConnectors/:id', async (request, reply) => {
    const { id } = Id.parse(request.params)
    const [connector] = await readConnectors(deps.db, id)
    return connector === undefined ? notFound(reply, 'connector') : connectorView(connector)
  })

  app.post('/api/exchangeConnectors/:id/sync', async (request, reply) => {
    const { id } = Id.parse(request.params)
    const { syncType, confirmed } = Sync.parse(request.body)
    const [connector] = await readConnectors(deps.db, id)
    if (connector === undefined) return notFound(reply, 'connector')
    const confirmedBy = confirmed ? actorOf(request) : undefined
    const run = await startSync({ organizationId: id, syncType, cause: 'manual', confirmedBy }, deps, deps.signal)
    deps.wake()
    return reply.code(202).send({ syncRunId: run.id })
  })
}

function connectorView(connector: ConnectorView) {
  return {
    id: connector.organization_id,
    exchangeOrganization: connector.name,
    exchangeConnectorType: 'onPremises',
    status: connector.status,
    serverName: connector.server_name,
    connectorServerName: connector.connector_server_name,
    version: connector.exchange_version,
    lastSyncDateTime: connector.last_sync_at,
    lastFullSyncDateTime: connector.last_full_sync_at,
    lastDeltaSyncDateTime: connector.last_delta_sync_at,
    reportOnly: connector.report_only,
    epoch: connector.epoch,
    problem: connector.problem,
  }
}
