import { parseTraceHeaders, type Span, type Tracer } from '@gatehouse/tracing'
import type { FastifyInstance, FastifyRequest } from 'fastify'

/** Handles each request in a span of its own, of the trace that the request brings, if it brings one. */
export function traceRequests(app: FastifyInstance, tracer: Tracer): void {
  const spans = new WeakMap<FastifyRequest, Span>()
  app.addHook('onRequest', (request, _reply, next) => {
    const { method, routeOptions, headers } = request
    const route = routeOptions.url
    const span = tracer.start(route === undefined ? method : `${method} ${route}`, {
      kind: 'server',
      parent: parseTraceHeaders(headers['traceparent'], headers['tracestate']),
      attributes: () => ({ 'http.request.method': method, ...(route !== undefined && { 'http.route': route }) }),
    })
    spans.set(request, span)
    tracer.within(span, next)
  })
  // A body is read in between, and its end comes from the socket.
  app.addHook('preHandler', (request, _reply, next) => {
    const span = spans.get(request)
    if (span === undefined) next()
    else tracer.within(span, next)
  })
  app.addHook('onResponse', (request, reply, next) => {
    const status = reply.statusCode
    // Of what a server answers, only 5xx is its own failure.
    spans.get(request)?.end({
      error: status >= 500 ? String(status) : undefined,
      attributes: { 'http.response.status_code': status },
    })
    next()
  })
}
