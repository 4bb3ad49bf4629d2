import type { IncomingMessage, ServerResponse } from 'node:http'
import { gzipSync } from 'node:zlib'
import type { Faults } from '../faults.ts'
import type { Ledger } from '../ledger.ts'
import { childOf } from '../read-xml.ts'
import { takeReceiveBody } from './receive-stream.ts'
import type { PendingReceive, Shell, ShellCommand } from './shell.ts'
import { type ShellAnswer, ShellHost, type ShellHostOptions } from './shell-host.ts'
import { type WsmanFault, wsmanFault } from './wsman-fault.ts'
import { ACTIONS, SHELL } from './wsman-namespaces.ts'
import { readWsmanRequest, type WsmanRequest } from './wsman-request.ts'
import { writeWsmanFault, writeWsmanResponse } from './wsman-response.ts'

export type WsmanEndpointOptions = Omit<ShellHostOptions, 'writeFault' | 'onReceivable'> & {
  faults: Faults
  ledger: Ledger
  machine: { name: string; fqdn: string }
}

/** The PowerShell virtual directory: WS-Management over HTTP, after authentication. */
export class WsmanEndpoint {
  readonly host: ShellHost
  readonly #o: WsmanEndpointOptions

  constructor(options: WsmanEndpointOptions) {
    this.#o = options
    this.host = new ShellHost({
      ...options,
      writeFault: (fault, messageId) => writeWsmanFault(fault, messageId, options.machine),
      onReceivable: (shell, receive) => this.#answerReceive(shell, receive),
    })
  }

  handle(request: IncomingMessage, response: ServerResponse, o: { path: string; text: string; account: string }): void {
    if (!isSoap(request)) {
      this.#o.ledger.addRefusal('content-type')
      response.writeHead(415).end()
      return
    }
    const reading = readWsmanRequest(o.text, o.path)
    if ('fault' in reading) {
      this.#refuse(request, response, reading.fault, reading.messageId)
      return
    }
    const wsman = reading.request
    this.#o.ledger.addRequest(wsman.verb)
    const reset = this.#o.faults.resetsConnection()
    // A Receive cut after the fact would lose output that no client could ask for again.
    if (reset === 'before' || (reset !== undefined && wsman.verb === 'receive')) {
      this.#o.ledger.addFault('connection-reset')
      request.socket.destroy()
      return
    }
    if (wsman.verb === 'receive') {
      this.#receive(request, response, wsman, o.account)
      return
    }
    const answer = this.#perform(request, wsman, o.account)
    if (reset === 'after') {
      this.#o.ledger.addFault('connection-reset')
      request.socket.destroy()
      return
    }
    if ('fault' in answer) this.#refuse(request, response, answer.fault, wsman.messageId)
    else this.#answer(request, response, wsman, answer)
  }

  #perform(request: IncomingMessage, wsman: WsmanRequest, account: string): ShellAnswer {
    if (wsman.verb === 'create') {
      const answer = this.host.create(wsman, account)
      if ('cookie' in answer) this.#touchNewest(request)
      return answer
    }
    const shell = this.host.find(wsman.shellId, account, cookieOf(request), request.socket)
    if (shell === undefined) return { fault: wsmanFault('shell-not-found', wsman.shellId) }
    if (wsman.verb === 'command') return this.host.command(shell, wsman.body)
    if (wsman.verb === 'send') return this.host.send(shell, wsman.body)
    if (wsman.verb === 'signal') return this.host.signal(shell, wsman.body)
    this.host.close(shell)
    return { body: '' }
  }

  #touchNewest(request: IncomingMessage): void {
    const newest = [...this.host.shells.values()].at(-1)
    newest?.touch(request.socket)
  }

  #receive(request: IncomingMessage, response: ServerResponse, wsman: WsmanRequest, account: string): void {
    const shell = this.host.find(wsman.shellId, account, cookieOf(request), request.socket)
    if (shell === undefined) {
      this.#refuse(request, response, wsmanFault('shell-not-found', wsman.shellId), wsman.messageId)
      return
    }
    const found = commandAskedFor(shell, wsman)
    if ('fault' in found) {
      this.#refuse(request, response, found.fault, wsman.messageId)
      return
    }
    const { command } = found
    this.#abortOlder(shell, command)
    const receive: PendingReceive = {
      command,
      maxEnvelopeSize: wsman.maxEnvelopeSize,
      messageId: wsman.messageId,
      timer: setTimeout(() => {
        shell.receives.delete(command)
        shell.lastActivity = Date.now()
        this.#write(
          request,
          response,
          500,
          writeWsmanFault(wsmanFault('operation-timed-out'), wsman.messageId, this.#o.machine),
        )
      }, wsman.operationTimeoutMs),
      isClosed: () => response.destroyed || request.socket.destroyed,
      answer: (status, body) => this.#write(request, response, status, body),
    }
    shell.receives.set(command, receive)
    response.once('close', () => {
      if (shell.receives.get(command) !== receive) return
      clearTimeout(receive.timer)
      shell.receives.delete(command)
      shell.lastActivity = Date.now()
    })
    this.#answerReceive(shell, receive)
  }

  /** A Receive sent again, its connection lost: the older one ends, and what comes goes to the newer. */
  #abortOlder(shell: Shell, command: ShellCommand | undefined): void {
    const older = shell.receives.get(command)
    if (older === undefined) return
    clearTimeout(older.timer)
    shell.receives.delete(command)
    if (!older.isClosed()) older.answer(500, writeWsmanFault(wsmanFault('operation-aborted'), older.messageId, this.#o.machine))
  }

  #answerReceive(shell: Shell, receive: PendingReceive): void {
    if (receive.isClosed()) return
    const body = takeReceiveBody(shell, receive.command, receive.maxEnvelopeSize)
    if (body === undefined) return
    clearTimeout(receive.timer)
    shell.receives.delete(receive.command)
    shell.lastActivity = Date.now()
    receive.answer(200, writeWsmanResponse(`${ACTIONS.receive}Response`, receive.messageId, body))
  }

  #answer(
    request: IncomingMessage,
    response: ServerResponse,
    wsman: WsmanRequest,
    answer: { body: string; cookie?: string },
  ): void {
    if (answer.cookie !== undefined) {
      response.setHeader('Set-Cookie', `MS-WSMAN=${answer.cookie}; path=/PowerShell; HttpOnly`)
    }
    this.#write(request, response, 200, writeWsmanResponse(`${ACTIONS[wsman.verb]}Response`, wsman.messageId, answer.body))
  }

  #refuse(request: IncomingMessage, response: ServerResponse, fault: WsmanFault, messageId: string): void {
    this.#o.ledger.addRefusal(fault.reason)
    this.#write(request, response, 500, writeWsmanFault(fault, messageId, this.#o.machine))
  }

  /** IIS compresses for whoever says it may. */
  #write(request: IncomingMessage, response: ServerResponse, status: number, body: string): void {
    if (response.destroyed || response.writableEnded) return
    const type = 'application/soap+xml;charset=UTF-8'
    if (body.length > 1024 && /\bgzip\b/.test(String(request.headers['accept-encoding'] ?? ''))) {
      const zipped = gzipSync(body, { level: 1 })
      response
        .writeHead(status, { 'Content-Type': type, 'Content-Encoding': 'gzip', 'Content-Length': zipped.length })
        .end(zipped)
      return
    }
    const bytes = Buffer.from(body)
    response.writeHead(status, { 'Content-Type': type, 'Content-Length': bytes.length }).end(bytes)
  }
}

function commandAskedFor(shell: Shell, wsman: WsmanRequest): { command: ShellCommand | undefined } | { fault: WsmanFault } {
  if (wsman.body?.name !== 'Receive' || wsman.body.namespace !== SHELL) return { fault: wsmanFault('body-invalid', 'Receive') }
  const desired = childOf(wsman.body, 'DesiredStream')
  if (desired === undefined) return { fault: wsmanFault('body-invalid', 'DesiredStream') }
  if (desired.text.trim() !== 'stdout') return { fault: wsmanFault('stream-invalid', desired.text.trim()) }
  const commandId = desired.attributes.CommandId
  if (commandId === undefined) return { command: undefined }
  const command = shell.commands.get(commandId.toUpperCase())
  return command === undefined ? { fault: wsmanFault('command-not-found', commandId) } : { command }
}

function isSoap(request: IncomingMessage): boolean {
  const type = String(request.headers['content-type'] ?? '').toLowerCase()
  if (!type.startsWith('application/soap+xml')) return false
  const charset = /charset="?([\w-]+)/.exec(type)?.[1]
  return charset === undefined || charset === 'utf-8'
}

function cookieOf(request: IncomingMessage): string | undefined {
  return /(?:^|;\s*)MS-WSMAN=([^;]+)/.exec(String(request.headers.cookie ?? ''))?.[1]
}
