import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Population } from '../population/population.ts'
import { createSeededRandom } from '../population/seeded-random.ts'
import { answerGraph, type GraphServer } from './answer-graph.ts'
import { changePopulation, parsePopulationChange } from './change-population.ts'
import { createDevicesDelta } from './devices-delta.ts'
import { createDirectory } from './directory.ts'
import { answer, type GraphAnswer, refuse } from './graph-answer.ts'
import { type GraphFaults, parseGraphFaults } from './graph-faults.ts'
import { type GraphState, grantedPermissions } from './graph-routes.ts'
import { createLedger } from './ledger.ts'
import { answerLogin } from './login.ts'
import { createPaging } from './paging.ts'
import { readBody, readHeaders, writeAnswer } from './read-http.ts'
import { createThrottle } from './throttle.ts'
import { createTokens } from './tokens.ts'

export type MicrosoftSimulatorOptions = {
  population: Population
  host: string
  /** 0 picks a free one. */
  port: number
  /** How long Graph takes to answer, milliseconds. */
  latencyMs: number
  faults?: GraphFaults
  tenantId?: string
  clientId?: string
  clientSecret?: string
  /** Rows of managedDevices a page may hold; Microsoft's is 1,000. */
  managedDevicesPageSize?: number
  /** With it the server speaks https. PEM. */
  tls?: { key: string; cert: string } | undefined
}

export type MicrosoftSimulator = {
  url: string
  /** Where to sign in; the tenant comes after it. */
  authority: string
  /** Where Graph is; the version comes after it. */
  endpoint: string
  tenantId: string
  clientId: string
  clientSecret: string
  stop(): Promise<void>
}

type Running = GraphServer & {
  options: Required<Omit<MicrosoftSimulatorOptions, 'faults' | 'tls'>>
  scheme: 'http' | 'https'
  population: Population
}

/** Serves Microsoft's sign-in and Graph for a population until `stop`. */
export async function startMicrosoftSimulator(options: MicrosoftSimulatorOptions): Promise<MicrosoftSimulator> {
  const running = createRunning(options)
  const onRequest = (incoming: IncomingMessage, outgoing: ServerResponse): void => {
    serve(incoming, outgoing, running).catch((error: unknown) => {
      if (!outgoing.headersSent) writeAnswer(outgoing, refuse(500, 'UnknownError', String(error)))
      else outgoing.destroy()
    })
  }
  const server = options.tls === undefined ? createServer(onRequest) : createTlsServer(options.tls, onRequest)
  server.keepAliveTimeout = 60_000
  server.listen(options.port, options.host)
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const url = `${running.scheme}://${options.host.includes(':') ? `[${options.host}]` : options.host}:${port}`
  const { tenantId, clientId, clientSecret } = running.options
  return { url, authority: url, endpoint: url, tenantId, clientId, clientSecret, stop: () => stop(server) }
}

async function stop(server: Server): Promise<void> {
  if (!server.listening) return
  server.close()
  server.closeAllConnections()
  await once(server, 'close')
}

function createRunning(given: MicrosoftSimulatorOptions): Running {
  const { population } = given
  const random = createSeededRandom(population.seed ^ 0x6d73)
  const options = {
    tenantId: random.guid(),
    clientId: random.guid(),
    clientSecret: `sim8Q~${random.upperAlphanumeric(34)}`,
    managedDevicesPageSize: 1000,
    ...given,
  }
  const ledger = createLedger()
  const paging = createPaging()
  const state: GraphState = {
    directory: createDirectory(population),
    delta: createDevicesDelta(population.entraDevices, paging),
    paging,
    ledger,
    faults: {},
    managedDevicesPageSize: options.managedDevicesPageSize,
    walks: 0,
  }
  const now = () => performance.now()
  const tokens = createTokens({ tenantId: options.tenantId, clientId: options.clientId, now })
  const scheme: Running['scheme'] = given.tls === undefined ? 'http' : 'https'
  const running = {
    options,
    scheme,
    population,
    state,
    tokens,
    throttle: createThrottle({}, ledger, now),
    shuffle: random.shuffle,
  }
  applyFaults(running, given.faults ?? {})
  return running
}

/** A plan replaces the one before. */
function applyFaults(running: Running, faults: GraphFaults): void {
  running.state.faults = { ...faults }
  running.throttle = createThrottle(faults, running.state.ledger, () => performance.now())
  running.tokens.setLifetime(faults.tokenLifetimeSeconds ?? 3599)
  if (faults.revokeTokens === true) running.tokens.revoke()
  if (faults.expireDeltaTokens === true) running.state.delta.expireLinks()
}

async function serve(incoming: IncomingMessage, outgoing: ServerResponse, running: Running): Promise<void> {
  const origin = `${running.scheme}://${incoming.headers.host ?? 'localhost'}`
  const url = new URL(incoming.url ?? '/', origin)
  const segments = url.pathname
    .split('/')
    .filter((segment) => segment !== '')
    .map(decodeURIComponent)
  const method = incoming.method ?? 'GET'
  const text = method === 'GET' ? '' : await readBody(incoming)
  const headers = readHeaders(incoming)
  if (segments[0] === '__simulator') {
    writeAnswer(outgoing, answerControl(method, segments[1] ?? '', text, running))
    return
  }
  if (running.options.latencyMs > 0) await sleep(running.options.latencyMs)
  if (segments[0]?.toLowerCase() === 'v1.0') {
    const body = parseJson(text)
    const request = {
      method,
      segments: segments.slice(1),
      query: url.searchParams,
      headers,
      body,
      base: `${origin}/v1.0`,
      isInBatch: false,
    }
    const clientRequestId = headers['client-request-id']
    writeAnswer(outgoing, answerGraph(request, running), {
      'content-type': 'application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8',
      'request-id': randomUUID(),
      ...(clientRequestId === undefined ? {} : { 'client-request-id': clientRequestId }),
    })
    return
  }
  writeAnswer(
    outgoing,
    signIn({ method, segments, query: url.searchParams, headers, form: new URLSearchParams(text), origin }, running),
  )
}

function signIn(request: Parameters<typeof answerLogin>[0], running: Running): GraphAnswer {
  const { options, state, tokens } = running
  if (state.faults.loginUnavailable === true)
    return refuse(503, 'temporarily_unavailable', 'The service is temporarily unavailable.')
  const denied = state.faults.deniedPermissions ?? []
  const found = answerLogin(request, {
    tenantId: options.tenantId.toLowerCase(),
    tenantDomain: `${running.population.organization.name}.onmicrosoft.com`,
    clientId: options.clientId,
    clientSecret: options.clientSecret,
    tokens,
    roles: () => grantedPermissions.filter((permission) => !denied.includes(permission)),
  })
  if (found === undefined) return refuse(404, 'NotFound', `Nothing is at ${request.segments.join('/')}.`)
  if (found.status >= 400) state.ledger.countRefusal(`AADSTS${(found.body as { error_codes: number[] }).error_codes[0]}`)
  else if ((found.body as { access_token?: string }).access_token !== undefined) state.ledger.counts.tokens += 1
  return found
}

function answerControl(method: string, name: string, text: string, running: Running): GraphAnswer {
  const { state, population } = running
  if (method === 'GET' && name === 'state') {
    return answer({
      ...state.ledger.read(),
      ...countLeast(running),
      faults: state.faults,
      managedDevices: population.managedDevices.length,
    })
  }
  if (method === 'POST' && (name === 'faults' || name === 'population-change')) {
    try {
      const body = parseJson(text)
      if (name === 'faults') {
        applyFaults(running, parseGraphFaults(body))
        return answer({ faults: state.faults })
      }
      const changes = (Array.isArray(body) ? body : [body]).map(parsePopulationChange)
      const changed = changes.flatMap((change) => changePopulation(population, change, state.delta.note))
      state.directory.forget()
      return changed.length > 0 ? answer({ changed }) : refuse(404, 'not-found', 'No managed device has such an id.')
    } catch (error) {
      return refuse(400, 'invalid', error instanceof Error ? error.message : String(error))
    }
  }
  return refuse(404, 'not-found', 'Known are GET state, POST faults, POST population-change.')
}

/** The fewest requests a full refresh can do with: pages of managedDevices and of each policy group, and one delta link. */
function countLeast({ state, population, options }: Running) {
  const pages = (rows: number, size: number) => Math.max(1, Math.ceil(rows / size))
  const { includedGroups, excludedGroups } = population.policy
  const managedDevices = pages(population.managedDevices.length, options.managedDevicesPageSize)
  let groupMembers = 0
  for (const id of new Set([...includedGroups, ...excludedGroups])) {
    const group = state.directory.findGroup(id)
    const users =
      group === undefined ? [] : state.directory.readTransitiveMembers(group).filter((member) => member.kind === 'user')
    groupMembers += pages(users.length, 999)
  }
  const leastByKind = { managedDevices, transitiveMembers: groupMembers, devicesDelta: 1 }
  return { graphRequestsLeast: managedDevices + groupMembers + 1, leastByKind }
}

function parseJson(text: string): unknown {
  if (text.trim() === '') return undefined
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
