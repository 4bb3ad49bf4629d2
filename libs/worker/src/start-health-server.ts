import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { PermanentError } from '@gatehouse/messages'
import type { Registry } from 'prom-client'

/**
 * Not imported: an import reads every export of a built-in module, `WebSocket` of this one among them, which is made when it is read and
 * brings Node's own copy of undici: 16 MiB in a bare process, 2 in a worker that has undici already (Node 26.10).
 */
const { createServer } = process.getBuiltinModule('node:http')
const REQUEST_MS = 5_000
const CONNECTIONS_MAX = 64

/** Resolves when the part is well, rejects or resolves to a text when it is not. */
export type HealthCheck = (signal: AbortSignal) => Promise<string | undefined>

export type HealthOptions = {
  host: string
  port: number
  metrics: Registry
  /** By name: what must be well for the worker to be given work. */
  readiness: Readonly<Record<string, HealthCheck>>
  /** By name: what only a restart can repair. */
  liveness: Readonly<Record<string, HealthCheck>>
}

export type HealthServer = { readonly url: string } & AsyncDisposable

/**
 * Serves `/healthz` (200 unless only a restart helps), `/readyz` (200 when every check is well) and `/metrics` (Prometheus).
 * @throws PermanentError `health-port-unavailable`
 */
export async function startHealthServer(options: HealthOptions): Promise<HealthServer> {
  const server = createServer({ requestTimeout: REQUEST_MS, headersTimeout: REQUEST_MS }, (request, response) => {
    // Nobody may wait for the answer to a failed answer: the connection is all there is to give up.
    respond(options, request, response).catch(() => response.destroy())
  })
  server.maxConnections = CONNECTIONS_MAX
  await listen(server, options)
  const address = server.address()
  if (address === null || typeof address === 'string') throw new TypeError('An HTTP server has no port')
  const host = options.host.includes(':') ? `[${options.host}]` : options.host
  return { url: `http://${host}:${address.port}`, [Symbol.asyncDispose]: () => close(server) }
}

async function listen(server: Server, { host, port }: HealthOptions): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  server.once('error', reject).listen(port, host, resolve)
  await promise.catch((cause: NodeJS.ErrnoException) => {
    const message = `worker.healthHost and worker.healthPort: cannot listen on ${host}:${port} (${cause.code ?? cause.message})`
    throw new PermanentError('health-port-unavailable', message, { cause })
  })
}

async function close(server: Server): Promise<void> {
  const closed = new Promise((settle) => server.close(settle))
  server.closeAllConnections()
  await closed
}

async function respond(options: HealthOptions, request: IncomingMessage, response: ServerResponse): Promise<void> {
  request.resume()
  if (request.method !== 'GET' && request.method !== 'HEAD') return send(response, 405, 'text/plain', 'GET only\n')
  switch (request.url?.split('?')[0]) {
    case '/healthz':
      return await sendChecks(response, options.liveness)
    case '/readyz':
      return await sendChecks(response, options.readiness)
    case '/metrics':
      return send(response, 200, options.metrics.contentType, await options.metrics.metrics())
    default:
      return send(response, 404, 'text/plain', '/healthz /readyz /metrics\n')
  }
}

async function sendChecks(response: ServerResponse, checks: HealthOptions['readiness']): Promise<void> {
  const problems = await Promise.all(
    Object.entries(checks).map(async ([name, check]) => [name, (await runCheck(check)) ?? 'well']),
  )
  const isWell = problems.every(([, said]) => said === 'well')
  send(response, isWell ? 200 : 503, 'application/json', `${JSON.stringify(Object.fromEntries(problems))}\n`)
}

async function runCheck(check: HealthCheck): Promise<string | undefined> {
  const signal = AbortSignal.timeout(REQUEST_MS / 2)
  const late = Promise.withResolvers<string>()
  signal.addEventListener('abort', () => late.resolve('no answer'), { once: true })
  // The text of an error may hold an address or a user's name; probes need none of it.
  return await Promise.race([check(signal).catch(() => 'failed'), late.promise])
}

function send(response: ServerResponse, status: number, type: string, body: string): void {
  response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' }).end(body)
}
