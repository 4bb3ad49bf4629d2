import { answerBatch } from './answer-batch.ts'
import { type GraphAnswer, type GraphRequest, refuse, refuseAsIntune } from './graph-answer.ts'
import { findGraphRoute, type GraphState, isDenied } from './graph-routes.ts'
import type { Throttle } from './throttle.ts'
import type { Tokens } from './tokens.ts'

export type GraphServer = { state: GraphState; tokens: Tokens; throttle: Throttle; shuffle: <T>(items: T[]) => T[] }

/** One Graph request from the door to the answer: outage, token, throttling, permission, then the resource. */
export function answerGraph(request: GraphRequest, server: GraphServer): GraphAnswer {
  const { state, tokens } = server
  const isBatch = request.segments.join('/') === '$batch'
  const route = isBatch ? undefined : findGraphRoute(request.segments)
  state.ledger.countRequest(isBatch ? 'batch' : (route?.kind ?? 'unknown'), request.isInBatch)
  const answer = passUnavailable(state) ?? tokens.refuseUnlessValid(request.headers['authorization'])
  const batch = { answerOne: (inner: GraphRequest) => answerGraph(inner, server), shuffle: server.shuffle }
  const final = answer ?? (isBatch ? answerBatch(request, batch) : answerResource(request, server, route))
  if (final.status >= 400)
    state.ledger.countRefusal(`${final.status} ${(final.body as { error: { code: string } }).error.code}`)
  return final
}

function answerResource(request: GraphRequest, server: GraphServer, route: ReturnType<typeof findGraphRoute>): GraphAnswer {
  const { state } = server
  const path = request.segments.join('/')
  if (route === undefined) {
    return refuse(400, 'BadRequest', `Resource not found for the segment '${request.segments[0] ?? ''}'.`)
  }
  const throttled = server.throttle(path.toLowerCase(), route.workload)
  if (throttled !== undefined) return throttled
  if (isDenied(route.permissions, state.faults)) return refusePermission(route, path)
  if (request.method !== 'GET') {
    return refuse(405, 'Request_BadRequest', `Specified HTTP method is not allowed for the request target.`)
  }
  return route.read(request, state)
}

function refusePermission(route: NonNullable<ReturnType<typeof findGraphRoute>>, path: string): GraphAnswer {
  if (route.workload === 'entra')
    return refuse(403, 'Authorization_RequestDenied', 'Insufficient privileges to complete the operation.')
  const text = `Application is not authorized to perform this operation. Application must have one of the following scopes: ${route.permissions.join(', ')}`
  return refuseAsIntune(403, 'Forbidden', text, path)
}

function passUnavailable({ faults }: GraphState): GraphAnswer | undefined {
  if (typeof faults.unavailable === 'number') {
    if (faults.unavailable <= 0) return undefined
    faults.unavailable -= 1
  } else if (faults.unavailable !== true) return undefined
  return refuse(
    503,
    'serviceNotAvailable',
    'The service is temporarily unavailable for maintenance or is overloaded. Repeat the request after a delay.',
  )
}
