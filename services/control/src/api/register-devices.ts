import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import type { ApiDeps } from './api-deps.ts'
import { Id, Page } from './page.ts'
import { notFound } from './problem.ts'
import { readDeviceStory } from './read-device-story.ts'
import { EXCHANGE_ACCESS_STATES, readDevices } from './read-devices.ts'
import { tellDeviceStory } from './tell-device-story.ts'

const Query = Page.extend({
  search: z.string().max(200).optional(),
  exchangeAccessState: z.enum(EXCHANGE_ACCESS_STATES).optional(),
})

/** The devices, and why each is in the state it is in. `id` is the partnership's GUID in Exchange. */
export function registerDevices(app: FastifyInstance, deps: ApiDeps): void {
  app.get('/api/devices', async (request) => await readDevices(deps.db, Query.parse(request.query)))

  app.get('/api/devices/:id/why', async (request, reply) => {
    const facts = await readDeviceStory(deps.db, Id.parse(request.params).id)
    return facts === undefined ? notFound(reply, 'device') : { ...facts, ...tellDeviceStory(facts, deps.now()) }
  })
}
