import { createHash, timingSafeEqual } from 'node:crypto'
import { PermanentError } from '@gatehouse/messages'
import fastify, { type FastifyInstance } from 'fastify'
import type { ApiDeps } from './api-deps.ts'
import { problemOf, sendProblem } from './problem.ts'
import { registerConnectors } from './register-connectors.ts'
import { registerDeadLetters } from './register-dead-letters.ts'
import { registerDevices } from './register-devices.ts'
import { registerOrganizations } from './register-organizations.ts'
import { registerRecords } from './register-records.ts'
import { registerReplays } from './register-replays.ts'
import { registerStatus } from './register-status.ts'
import { registerSyncRuns } from './register-sync-runs.ts'
import { retryReads } from './retry-reads.ts'
import { traceRequests } from './trace-requests.ts'

const BODY_BYTES_MAX = 65_536
const REQUEST_MS = 30_000

export type ApiOptions = {
  readonly host: string
  readonly port: number
  /** Asked at each request: every token that is let in now. */
  readonly readTokens: () => readonly string[]
}

/**
 * The HTTP API: JSON, a bearer token, no CORS (a page of another origin has no business here).
 * @throws PermanentError `api-port-unavailable` when it cannot listen there.
 */
export async function startApi(options: ApiOptions, deps: ApiDeps): Promise<AsyncDisposable & { url: string }> {
  const app = createApi(options.readTokens, deps)
  try {
    await app.listen({ host: options.host, port: options.port })
  } catch (cause) {
    await app.close()
    const { code, message } = cause as NodeJS.ErrnoException
    const where = `control.host and control.port: cannot listen on ${options.host}:${options.port} (${code ?? message})`
    throw new PermanentError('api-port-unavailable', where, { cause })
  }
  const address = app.server.address()
  const port = typeof address === 'object' && address !== null ? address.port : options.port
  const host = options.host.includes(':') ? `[${options.host}]` : options.host
  return { url: `http://${host}:${port}`, [Symbol.asyncDispose]: () => app.close() }
}

function createApi(readTokens: ApiOptions['readTokens'], deps: ApiDeps): FastifyInstance {
  const app = fastify({
    bodyLimit: BODY_BYTES_MAX,
    requestTimeout: REQUEST_MS,
    // An idle connection of a client must not keep the process from stopping.
    forceCloseConnections: 'idle',
    routerOptions: { maxParamLength: 200 },
  })
  app.addHook('onRoute', (route) => {
    if (route.method === 'GET') route.handler = retryReads(route.handler)
  })
  traceRequests(app, deps.tracer)
  app.addHook('onRequest', async (request, reply) => {
    if (request.routeOptions.url === '/api/health') return
    const presented = /^Bearer ([^\s]+)$/i.exec(request.headers.authorization ?? '')?.[1]
    if (presented !== undefined && isAmong(readTokens(), presented)) return
    reply.header('www-authenticate', 'Bearer')
    await sendProblem(reply, { status: 401, title: 'The bearer token of the API is missing or wrong' })
  })
  app.setErrorHandler((error, request, reply) => {
    const problem = problemOf(error)
    if (problem.status >= 500) deps.log.error({ err: error, route: request.routeOptions.url }, 'A request failed')
    return sendProblem(reply, problem)
  })
  app.setNotFoundHandler((_request, reply) => sendProblem(reply, { status: 404, title: 'There is no such address' }))
  app.get('/api/health', () => ({ status: 'ok' }))
  registerOrganizations(app, deps)
  registerConnectors(app, deps)
  registerSyncRuns(app, deps)
  registerDevices(app, deps)
  registerRecords(app, deps)
  registerDeadLetters(app, deps)
  registerReplays(app, deps)
  registerStatus(app, deps)
  return app
}

/** Digests have one length, so the comparison takes the same time whatever was sent. */
function isAmong(tokens: readonly string[], presented: string): boolean {
  const given = digest(presented)
  return tokens.filter((token) => timingSafeEqual(digest(token), given)).length > 0
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
