import { randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createTlsServer, Server as TlsServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { type ReceivedCommand, ServerPool, type ServerValue } from '../src/protocol/index.ts'

/** What a test makes the server do with one command. */
export type Script = (call: {
  command: ReceivedCommand
  pipelineId: string
  pool: ServerPool
  /** Aborted by the client's Signal crtl_c. */
  stop: AbortSignal
}) => void | Promise<void>

/** What a server says of who asks: `refuse` is a 401, the challenge goes into WWW-Authenticate. */
export type Authentication = { refuse: boolean; challenge?: string[] }

export type ServerOptions = {
  receiveHoldMs?: number
  tls?: { key: string; cert: string }
  /** `connection` is the port that the socket comes from. Default: Basic with svc and secret. */
  authenticate?: (request: IncomingMessage, connection: number) => Authentication
  /** Like MaxEnvelopeSizekb: larger ones are refused with a fault, or with 413 where `tooLarge` is that. */
  envelopeBytesMax?: number
  tooLarge?: 'fault' | 413
}

type SeenRequest = {
  action: string
  headers: IncomingMessage['headers']
  body: string
  /** The port that its socket came from. */
  connection: number
  shellId: string | undefined
}

export type ScriptedServer = AsyncDisposable & {
  readonly url: string
  readonly requests: SeenRequest[]
  readonly shells: Map<string, Shell>
  mostShells: number
  /** Answers a request instead of the server, when it returns true. */
  intercept: ((action: string, request: IncomingMessage, response: ServerResponse, body: string) => boolean) | undefined
  /** Cuts every connection. */
  cut(): void
  /** Closes every connection politely, as a server does with those that are idle for long; resolves when the client has too. */
  endConnections(): Promise<void>
  /** Shows another certificate to every new connection. */
  changeCertificate(tls: { key: string; cert: string }): void
}

type Shell = { pool: ServerPool; cookie: string; waiting: Map<string, () => void>; stops: Map<string, AbortController> }

const SHELL = 'http://schemas.microsoft.com/wbem/wsman/1/windows/shell'
const HEAD = `<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing" xmlns:w="http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd" xmlns:rsp="${SHELL}" xml:lang="en-US"><s:Header>`

export function messageIdOf(body: string): string {
  return /<wsa:MessageID>(uuid:[0-9A-F-]+)</.exec(body)?.[1] ?? ''
}

function faultXml(body: string, code: number, message: string): string {
  return `${HEAD}<a:RelatesTo>${messageIdOf(body)}</a:RelatesTo></s:Header><s:Body><s:Fault><s:Code><s:Value>s:Receiver</s:Value><s:Subcode><s:Value>w:InternalError</s:Value></s:Subcode></s:Code><s:Reason><s:Text xml:lang="en-US">${message}</s:Text></s:Reason><s:Detail><f:WSManFault xmlns:f="http://schemas.microsoft.com/wbem/wsman/1/wsmanfault" Code="${code}" Machine="ex1"><f:Message>${message}</f:Message></f:WSManFault></s:Detail></s:Fault></s:Body></s:Envelope>`
}

export function sendFault(response: ServerResponse, body: string, code: number, message: string): void {
  response.writeHead(500, { 'content-type': 'application/soap+xml;charset=UTF-8' }).end(faultXml(body, code, message))
}

/** A WSMan endpoint just large enough for the tests of this package. */
export async function startScriptedServer(script: Script, o: ServerOptions = {}): Promise<ScriptedServer> {
  const sockets = new Set<Socket>()
  const state: ScriptedServer = {
    url: '',
    requests: [],
    shells: new Map(),
    mostShells: 0,
    intercept: undefined,
    cut: () => {
      for (const socket of sockets) socket.resetAndDestroy()
    },
    endConnections: async () => {
      const closed = [...sockets].map((socket) => new Promise((resolve) => socket.once('close', resolve)))
      for (const socket of sockets) socket.end()
      await Promise.all(closed)
    },
    changeCertificate: (tls) => {
      if (server instanceof TlsServer) server.setSecureContext(tls)
    },
    [Symbol.asyncDispose]: async () => {
      state.cut()
      await new Promise((resolve) => server.close(resolve))
    },
  }
  const listener = (request: IncomingMessage, response: ServerResponse) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('error', () => {})
    request.on('end', () => {
      const body = Buffer.concat(chunks).toString()
      const action = /<wsa:Action[^>]*>[^<]*\/([A-Za-z]+)</.exec(body)?.[1] ?? ''
      // A TLS socket is another object than the one of the connection below it; both have its port.
      const connection = request.socket.remotePort ?? 0
      const shellId = /(?:Name="ShellId">|<rsp:Shell ShellId=")([^<"]+)[<"]/.exec(body)?.[1]
      state.requests.push({ action, headers: request.headers, body, connection, shellId })
      if (state.intercept?.(action, request, response, body) === true) return
      handle({ state, script, options: o }, { action, body, request, response, connection })
    })
  }
  const server = o.tls === undefined ? createServer(listener) : createTlsServer(o.tls, listener)
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    socket.on('error', () => {})
  })
  server.keepAliveTimeout = 60_000
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return Object.assign(state, {
    url: `${o.tls === undefined ? 'http' : 'https'}://127.0.0.1:${(server.address() as AddressInfo).port}/PowerShell/`,
  })
}

type Context = { state: ScriptedServer; script: Script; options: ServerOptions }
type Exchange = { action: string; body: string; request: IncomingMessage; response: ServerResponse; connection: number }

function handle(context: Context, exchange: Exchange): void {
  const { state } = context
  const { action, body, request, response } = exchange
  const { refuse, challenge = [] } = (context.options.authenticate ?? checkBasic)(request, exchange.connection)
  if (challenge.length > 0) response.setHeader('www-authenticate', challenge)
  if (refuse) {
    response.writeHead(401).end()
    return
  }
  if (isTooLarge(context, body)) {
    if (context.options.tooLarge === 413) response.writeHead(413).end()
    else sendFault(response, body, 2150858823, 'The maximum envelope size in the request is too large.')
    return
  }
  if (action === 'Create') {
    create(context, exchange)
    return
  }
  const shellId = /Name="ShellId">([^<]+)</.exec(body)?.[1] ?? ''
  const shell = state.shells.get(shellId)
  if (shell === undefined || request.headers.cookie !== shell.cookie) {
    sendFault(
      response,
      body,
      2150858843,
      `[FailureCategory=WSMan-InvalidShellID] The shell was not found on the server. [RequestId=r-1]`,
    )
    return
  }
  switch (action) {
    case 'Command':
      command(context, shell, exchange)
      return
    case 'Send':
      accept(context, shell, body)
      reply(exchange, '<rsp:SendResponse/>')
      return
    case 'Receive':
      receive(context, shell, exchange)
      return
    case 'Signal':
      signal(shell, exchange)
      return
    case 'Delete':
      state.shells.delete(shellId)
      for (const controller of shell.stops.values()) controller.abort()
      reply(exchange, '')
      return
    default:
      sendFault(response, body, 1, 'unknown action')
  }
}

function checkBasic(request: IncomingMessage): Authentication {
  const isRight = request.headers.authorization === `Basic ${Buffer.from('svc:secret').toString('base64')}`
  return { refuse: !isRight, challenge: isRight ? [] : ['Basic realm="ex1"'] }
}

function isTooLarge({ options }: Context, body: string): boolean {
  const max = options.envelopeBytesMax ?? Number.POSITIVE_INFINITY
  if (Buffer.byteLength(body) > max) return true
  return options.tooLarge !== 413 && Number(/MaxEnvelopeSize[^>]*>(\d+)</.exec(body)?.[1]) > max
}

function create(context: Context, exchange: Exchange): void {
  const shellId = /ShellId="([^"]+)"/.exec(exchange.body)?.[1] ?? ''
  const waiting = new Map<string, () => void>()
  const pool = new ServerPool({ onBytes: (pipelineId) => waiting.get(pipelineId ?? '')?.() })
  const cookie = `MS-WSMAN=${randomUUID()}`
  context.state.shells.set(shellId, { pool, cookie, waiting, stops: new Map() })
  context.state.mostShells = Math.max(context.state.mostShells, context.state.shells.size)
  pool.receive(Buffer.from(/<creationXml[^>]*>([^<]+)</.exec(exchange.body)?.[1] ?? '', 'base64'))
  exchange.response.setHeader('set-cookie', `${cookie}; path=/; HttpOnly`)
  reply(
    exchange,
    `<x:ResourceCreated xmlns:x="http://schemas.xmlsoap.org/ws/2004/09/transfer"><a:ReferenceParameters><w:SelectorSet><w:Selector Name="ShellId">${shellId}</w:Selector></w:SelectorSet></a:ReferenceParameters></x:ResourceCreated>`,
  )
}

function command(context: Context, shell: Shell, exchange: Exchange): void {
  const commandId = /<rsp:CommandLine CommandId="([^"]+)"/.exec(exchange.body)?.[1] ?? ''
  accept(context, shell, exchange.body)
  reply(exchange, `<rsp:CommandResponse><rsp:CommandId>${commandId}</rsp:CommandId></rsp:CommandResponse>`)
}

function accept(context: Context, shell: Shell, body: string): void {
  const bytes = Buffer.from(/<rsp:(?:Arguments|Stream[^>]*)>([^<]+)</.exec(body)?.[1] ?? '', 'base64')
  for (const event of shell.pool.receive(bytes, /CommandId="([^"]+)"/.exec(body)?.[1])) {
    if (event.kind !== 'pipeline') continue
    const { pipelineId, commands } = event
    const controller = new AbortController()
    shell.stops.set(pipelineId, controller)
    const [first] = commands
    if (first === undefined) continue
    void Promise.resolve(context.script({ command: first, pipelineId, pool: shell.pool, stop: controller.signal }))
  }
}

function receive(context: Context, shell: Shell, exchange: Exchange): void {
  const commandId = /DesiredStream CommandId="([^"]+)"/.exec(exchange.body)?.[1]?.toLowerCase()
  const envelope = Number(/MaxEnvelopeSize[^>]*>(\d+)</.exec(exchange.body)?.[1])
  let isAnswered = false
  const answer = () => {
    if (isAnswered) return
    isAnswered = true
    clearTimeout(timer)
    shell.waiting.delete(commandId ?? '')
    const bytes = shell.pool.take(commandId, Math.floor(((envelope - 2_048) * 3) / 4))
    const isDone = commandId !== undefined && shell.pool.isDone(commandId)
    if (bytes.length === 0 && !isDone) {
      sendFault(
        exchange.response,
        exchange.body,
        2150858793,
        'The WS-Management service cannot complete the operation within the time specified in OperationTimeout.',
      )
      return
    }
    const id = commandId === undefined ? '' : ` CommandId="${commandId.toUpperCase()}"`
    const stream =
      bytes.length === 0 ? '' : `<rsp:Stream Name="stdout"${id}>${Buffer.from(bytes).toString('base64')}</rsp:Stream>`
    const state = isDone ? `<rsp:CommandState${id} State="${SHELL}/CommandState/Done"/>` : ''
    reply(exchange, `<rsp:ReceiveResponse>${stream}${state}</rsp:ReceiveResponse>`)
  }
  const timer = setTimeout(answer, context.options.receiveHoldMs ?? 2_000)
  if (shell.pool.hasBytes(commandId) || (commandId !== undefined && shell.pool.isDone(commandId))) answer()
  // What arrives within the same turn belongs into one answer.
  else shell.waiting.set(commandId ?? '', () => setImmediate(answer))
}

function signal(shell: Shell, exchange: Exchange): void {
  const commandId = /CommandId="([^"]+)"/.exec(exchange.body)?.[1]?.toLowerCase() ?? ''
  if (exchange.body.includes('powershell/signal/crtl_c')) shell.stops.get(commandId)?.abort()
  else {
    shell.pool.forget(commandId)
    shell.stops.delete(commandId)
  }
  reply(exchange, '<rsp:SignalResponse/>')
}

function reply(exchange: Exchange, body: string): void {
  const xml = `${HEAD}<a:RelatesTo>${messageIdOf(exchange.body)}</a:RelatesTo></s:Header><s:Body>${body}</s:Body></s:Envelope>`
  exchange.response.writeHead(200, { 'content-type': 'application/soap+xml;charset=UTF-8' }).end(xml)
}

/** Objects for a script to send. */
export type { ServerValue }
