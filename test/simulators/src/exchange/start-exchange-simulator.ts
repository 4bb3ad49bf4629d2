import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { Population } from '../population/population.ts'
import { handleCmdletRoute } from './cmdlet-route.ts'
import type { Cmdlet } from './cmdlets/cmdlet.ts'
import { createCmdlets } from './cmdlets/cmdlets.ts'
import { EwsEndpoint } from './ews/ews-endpoint.ts'
import { Faults } from './faults.ts'
import { Ledger } from './ledger.ts'
import { Organization } from './organization/organization.ts'
import { printDevice } from './organization/print-device.ts'
import { printCasMailbox } from './organization/print-mailbox.ts'
import { readBody } from './read-body.ts'
import { handleSimulatorRoute } from './simulator-routes.ts'
import { WsmanEndpoint } from './wsman/wsman-endpoint.ts'

export type ExchangeSimulatorOptions = {
  population: Population
  /** The address it listens on; `url` names 127.0.0.1. */
  host?: string
  /** 0: any free one. */
  port: number
  /** What every cmdlet takes. */
  latencyMs: number
  /** A FaultPlan (fault-plan.ts), as parsed JSON; checked, and refused with every problem it has. */
  faults?: unknown
  user?: string
  password?: string
  notificationUser?: string
  notificationPassword?: string
  /** PowerShellMaxConcurrency of the account's throttling policy; Exchange's default is 18. */
  shellsMax?: number
  /** Commands of one shell that nobody has terminated; Windows' default is 1000, of which the session takes one here. */
  commandsPerShellMax?: number
  /** What every mail request takes, default 5. */
  ewsLatencyMs?: number
  /** Idle timeouts are divided by this, so that tests need not wait Microsoft's minute. */
  idleTimeoutDivisor?: number
  /** Default 'ignore': adding an id that is there is a no-op, counted as `duplicateAdds`. */
  duplicateAdd?: 'ignore' | 'error'
  /** Cmdlets that the account's roles do not contain. */
  hiddenCmdlets?: string[]
  /** Cmdlets that only a test knows. */
  moreCmdlets?: readonly Cmdlet[]
  /** With it the server speaks https. PEM. */
  tls?: { key: string; cert: string }
  log?: { error(message: string, detail?: unknown): void }
}

export type ExchangeSimulator = {
  /** The PowerShell endpoint. */
  url: string
  ewsUrl: string
  simulatorUrl: string
  user: string
  password: string
  notificationUser: string
  notificationPassword: string
  /** Of the account for PowerShell. */
  changePassword(password: string): void
  stop(): Promise<void>
}

/** MaxEnvelopeSizekb of the server. */
const POWERSHELL_BODY_MAX = 512_000
const BODY_MAX = 36_000_000

type Parts = {
  wsman: WsmanEndpoint
  ews: EwsEndpoint
  faults: Faults
  ledger: Ledger
  organization: Organization
  population: Population
  accounts: Map<string, { password: string; mayPowerShell: boolean; addresses: string[] }>
  fqdn: string
  /** What a cmdlet takes from now on. */
  setLatency: (ms: number) => void
}

/** Starts an Exchange server on a real socket: /PowerShell/ (WS-Management + PSRP), /EWS/Exchange.asmx, /__simulator/. */
export async function startExchangeSimulator(options: ExchangeSimulatorOptions): Promise<ExchangeSimulator> {
  const { domain } = options.population.organization
  const identity = {
    user: options.user ?? `svc-gatehouse@${domain}`,
    password: options.password ?? 'Gatehouse-simulator-1',
    notificationUser: options.notificationUser ?? options.user ?? `gatehouse-notices@${domain}`,
    notificationPassword: options.notificationPassword ?? options.password ?? 'Gatehouse-simulator-1',
  }
  const parts = assemble(options, identity)
  const onRequest = (request: IncomingMessage, response: ServerResponse) => handle(parts, request, response)
  const server = options.tls === undefined ? createServer(onRequest) : createTlsServer(options.tls, onRequest)
  server.keepAliveTimeout = 120_000
  server.requestTimeout = 0
  server.on('clientError', (_error, socket) => socket.destroy())
  warmUp(parts.organization)
  await listen(server, options.port, options.host ?? '127.0.0.1')
  const origin = `${options.tls === undefined ? 'http' : 'https'}://127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    url: `${origin}/PowerShell/`,
    ewsUrl: `${origin}/EWS/Exchange.asmx`,
    simulatorUrl: `${origin}/__simulator`,
    ...identity,
    changePassword: (password) => {
      const account = parts.accounts.get(identity.user.toLowerCase())
      if (account !== undefined) account.password = password
    },
    stop: () => stop(parts, server),
  }
}

/** A server that has been running has printed its objects before; the first client to ask does not wait for it longer than the next. */
function warmUp(organization: Organization): void {
  for (const device of organization.devices) printDevice(device, organization)
  for (const mailbox of organization.mailboxes) printCasMailbox(mailbox, organization)
}

type Identity = Pick<ExchangeSimulator, 'user' | 'password' | 'notificationUser' | 'notificationPassword'>

function assemble(options: ExchangeSimulatorOptions, identity: Identity): Parts {
  const { population } = options
  const organization = new Organization(population)
  const ledger = new Ledger()
  const faults = new Faults(options.faults)
  let { latencyMs } = options
  const [first] = population.organization.servers
  const machine = { name: first?.name ?? 'EX01', fqdn: first?.fqdn ?? `ex01.${organization.domain}` }
  const wsman = new WsmanEndpoint({
    organization,
    ledger,
    faults,
    cmdlets: createCmdlets(options.hiddenCmdlets ?? [], options.moreCmdlets),
    server: machine.name,
    machine,
    duplicateAdd: options.duplicateAdd ?? 'ignore',
    latencyMs: () => latencyMs,
    shellsMax: options.shellsMax ?? 18,
    commandsPerShellMax: options.commandsPerShellMax ?? 999,
    idleTimeoutDivisor: options.idleTimeoutDivisor ?? 1,
  })
  const ews = new EwsEndpoint({ ledger, faults, latencyMs: options.ewsLatencyMs ?? 5 })
  const { user, password, notificationUser, notificationPassword } = identity
  const accounts: Parts['accounts'] = new Map()
  accounts.set(notificationUser.toLowerCase(), {
    password: notificationPassword,
    mayPowerShell: false,
    addresses: [notificationUser.toLowerCase()],
  })
  accounts.set(user.toLowerCase(), { password, mayPowerShell: true, addresses: [user.toLowerCase()] })
  const setLatency = (ms: number): void => {
    latencyMs = ms
  }
  return { wsman, ews, faults, ledger, organization, population, accounts, fqdn: machine.fqdn, setLatency }
}

function handle(parts: Parts, request: IncomingMessage, response: ServerResponse): void {
  const url = new URL(request.url ?? '/', 'http://127.0.0.1')
  const path = url.pathname.toLowerCase()
  const isCmdletRoute = path === '/__simulator/cmdlet' || path === '/__simulator/cmdlets'
  if (path.startsWith('/__simulator/') && !isCmdletRoute) {
    readBody(request, BODY_MAX, (text) => {
      const options = { ...parts, host: parts.wsman.host }
      handleSimulatorRoute(options, { method: request.method ?? '', url, text: text ?? '' }, response)
    })
    return
  }
  if (parts.faults.isUnreachable()) {
    request.socket.destroy()
    return
  }
  const isPowerShell = path === '/powershell/' || path === '/powershell'
  if (!isPowerShell && !isCmdletRoute && path !== '/ews/exchange.asmx') {
    response.writeHead(404).end()
    return
  }
  const account = authenticate(parts, request, isPowerShell || isCmdletRoute)
  if (account === undefined) {
    parts.ledger.addRefusal('unauthorized')
    const challenges = ['Negotiate', 'Kerberos', `Basic realm="${parts.fqdn}"`]
    request.resume()
    response.writeHead(401, { 'WWW-Authenticate': challenges }).end()
    return
  }
  if (isCmdletRoute) {
    readBody(request, POWERSHELL_BODY_MAX, (text) => {
      const { ledger, faults } = parts
      void handleCmdletRoute({ ledger, faults, runner: parts.wsman.host.runner }, request, response, { path, text })
    })
    return
  }
  if (request.method !== 'POST') {
    response.writeHead(405, { Allow: 'POST' }).end()
    return
  }
  readBody(request, isPowerShell ? POWERSHELL_BODY_MAX : BODY_MAX, (text) => {
    if (text === undefined) {
      parts.ledger.addRefusal('envelope-too-large')
      response.writeHead(413).end()
    } else if (isPowerShell) parts.wsman.handle(request, response, { path: url.pathname, text, account: account.name })
    else parts.ews.handle(request, response, { text, account: account.name, addresses: account.addresses })
  })
}

function authenticate(
  parts: Parts,
  request: IncomingMessage,
  isPowerShell: boolean,
): { name: string; addresses: string[] } | undefined {
  const encoded = /^Basic\s+([A-Za-z0-9+/=]+)$/i.exec(request.headers.authorization ?? '')?.[1]
  if (encoded === undefined) return undefined
  const text = Buffer.from(encoded, 'base64').toString('utf8')
  const colon = text.indexOf(':')
  const name = text.slice(0, colon).toLowerCase()
  const account = parts.accounts.get(name)
  if (colon < 0 || account === undefined || account.password !== text.slice(colon + 1)) return undefined
  if (isPowerShell && !account.mayPowerShell) return undefined
  return { name, addresses: account.addresses }
}

function listen(server: Server, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => {
      server.removeListener('error', reject)
      resolve()
    })
  })
}

async function stop(parts: Parts, server: Server): Promise<void> {
  parts.wsman.host[Symbol.dispose]()
  await new Promise<void>((resolve) => {
    server.close(() => resolve())
    server.closeAllConnections()
  })
}
