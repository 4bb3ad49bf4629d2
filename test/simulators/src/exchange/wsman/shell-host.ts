import { randomUUID } from 'node:crypto'
import type { Socket } from 'node:net'
import type { ServerEvent } from '@gatehouse/powershell/protocol'
import { escapeXml } from '../escape-xml.ts'
import type { Ledger } from '../ledger.ts'
import { childOf, childrenOf, type XmlElement } from '../read-xml.ts'
import { PipelineRunner, type PipelineRunnerOptions } from './pipeline-runner.ts'
import { type PendingReceive, Shell, type ShellCommand } from './shell.ts'
import { type WsmanFault, wsmanFault } from './wsman-fault.ts'
import { EXCHANGE_RESOURCE, POWERSHELL, SHELL } from './wsman-namespaces.ts'
import { readDurationMs, type WsmanRequest } from './wsman-request.ts'

const IDLE_TIMEOUT_MIN_MS = 60_000
const IDLE_TIMEOUT_MAX_MS = 2_147_483_647
const IDLE_TIMEOUT_DEFAULT_MS = 900_000
/** PowerShell's typing error is the protocol's (MS-PSRP 3.1.5.3.9). Any other code closes the command. */
const STOP_SIGNAL = 'powershell/signal/crtl_c'

export type ShellAnswer = { body: string; cookie?: string } | { fault: WsmanFault }

export type ShellHostOptions = Omit<PipelineRunnerOptions, 'onOutput' | 'onDeath'> & {
  shellsMax: number
  /** MaxConcurrentCommandsPerShell. A command counts until it is terminated, not until it has finished. */
  commandsPerShellMax: number
  /** Divides every idle timeout: tests need not wait a minute. */
  idleTimeoutDivisor: number
  writeFault: (fault: WsmanFault, messageId: string) => string
  onReceivable: (shell: Shell, receive: PendingReceive) => void
}

/** All shells of the server: opens, finds, feeds, closes them. */
export class ShellHost {
  readonly shells = new Map<string, Shell>()
  readonly runner: PipelineRunner
  readonly #o: ShellHostOptions
  readonly #ledger: Ledger
  readonly #sweep: NodeJS.Timeout

  constructor(options: ShellHostOptions) {
    this.#o = options
    this.#ledger = options.ledger
    this.runner = new PipelineRunner({
      ...options,
      onOutput: (shell, command) => this.#wake(shell, command),
      onDeath: (shell) => this.close(shell),
    })
    this.#sweep = setInterval(() => this.#closeIdle(), 200)
    this.#sweep.unref()
  }

  [Symbol.dispose](): void {
    clearInterval(this.#sweep)
    for (const shell of [...this.shells.values()]) this.close(shell)
  }

  create(request: WsmanRequest, account: string): ShellAnswer {
    const element = request.body
    if (element?.name !== 'Shell' || element.namespace !== SHELL) return refuse('body-invalid', 'Shell')
    const version = request.options.get('protocolversion')
    if (version === undefined) return refuse('option-missing')
    if (!/^2\.[0-3]$/.test(version)) return refuse('protocol-version-mismatch', version)
    const streams = `${childOf(element, 'InputStreams')?.text ?? ''} ${childOf(element, 'OutputStreams')?.text ?? ''}`
    if (!/\bstdin\b.*\bstdout\b/s.test(streams)) return refuse('stream-invalid', streams.trim())
    const idleText = childOf(element, 'IdleTimeOut')?.text.trim()
    const idleMs = idleText === undefined ? IDLE_TIMEOUT_DEFAULT_MS : readDurationMs(idleText)
    if (idleMs === undefined || idleMs < IDLE_TIMEOUT_MIN_MS || idleMs > IDLE_TIMEOUT_MAX_MS) {
      return refuse('idle-timeout-out-of-range', idleText)
    }
    const creation = element.children.find((child) => child.name === 'creationXml' && child.namespace === POWERSHELL)
    if (creation === undefined) return refuse('body-invalid', 'creationXml')
    const open = [...this.shells.values()].filter((shell) => shell.account === account).length
    if (open >= this.#o.shellsMax) return refuse('too-many-shells', String(this.#o.shellsMax))
    return this.#open({ account, id: element.attributes.ShellId, idleMs, creation: creation.text })
  }

  #open(o: { account: string; id: string | undefined; idleMs: number; creation: string }): ShellAnswer {
    const id = (o.id ?? randomUUID()).toUpperCase()
    if (this.shells.has(id)) return refuse('body-invalid', `ShellId ${id} is in use`)
    const shell = new Shell({
      id,
      account: o.account,
      cookie: randomUUID(),
      idleTimeoutMs: o.idleMs / this.#o.idleTimeoutDivisor,
      onBytes: (from, pipelineId) => this.#wakePipeline(from, pipelineId),
    })
    try {
      shell.pool.receive(Buffer.from(o.creation, 'base64'))
    } catch (error) {
      return refuse('data-invalid', error instanceof Error ? error.message : String(error))
    }
    this.shells.set(id, shell)
    this.#ledger.shellsCreated += 1
    this.#ledger.noteShells(this.shells.size)
    const selectors = `<w:SelectorSet><w:Selector Name="ShellId">${id}</w:Selector></w:SelectorSet>`
    const created = `<x:ResourceCreated><a:Address>http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous</a:Address><a:ReferenceParameters><w:ResourceURI>${EXCHANGE_RESOURCE}</w:ResourceURI>${selectors}</a:ReferenceParameters></x:ResourceCreated>`
    const seconds = (o.idleMs / 1000).toFixed(3)
    const description = `<rsp:Shell><rsp:ShellId>${id}</rsp:ShellId><rsp:ResourceUri>${EXCHANGE_RESOURCE}</rsp:ResourceUri><rsp:Owner>${escapeXml(o.account)}</rsp:Owner><rsp:ClientIP>127.0.0.1</rsp:ClientIP><rsp:IdleTimeOut>PT${seconds}S</rsp:IdleTimeOut><rsp:InputStreams>stdin pr</rsp:InputStreams><rsp:OutputStreams>stdout</rsp:OutputStreams><rsp:ShellRunTime>P0DT0H0M0S</rsp:ShellRunTime><rsp:ShellInactivity>P0DT0H0M0S</rsp:ShellInactivity></rsp:Shell>`
    return { body: created + description, cookie: shell.cookie }
  }

  /** The cookie routes to the back end that holds the shell: without it, another one is asked, which knows nothing of it. */
  find(shellId: string, account: string, cookie: string | undefined, socket: Socket): Shell | undefined {
    const shell = this.shells.get(shellId)
    if (shell === undefined || shell.account !== account) return undefined
    if (cookie !== shell.cookie) {
      this.#ledger.addRefusal('cookie-missing')
      return undefined
    }
    shell.touch(socket)
    return shell
  }

  command(shell: Shell, element: XmlElement | undefined): ShellAnswer {
    if (element?.name !== 'CommandLine' || element.namespace !== SHELL) return refuse('body-invalid', 'CommandLine')
    if (childOf(element, 'Command') === undefined) return refuse('body-invalid', 'Command')
    if (shell.commands.size >= this.#o.commandsPerShellMax) return refuse('too-many-commands')
    const id = element.attributes.CommandId ?? randomUUID().toUpperCase()
    if (shell.commands.has(id.toUpperCase())) return refuse('body-invalid', `CommandId ${id} is in use`)
    const command: ShellCommand = {
      id,
      pipelineId: undefined,
      commands: [],
      state: 'waiting',
      timer: undefined,
      ignoresStop: false,
    }
    shell.commands.set(id.toUpperCase(), command)
    const fragments = childrenOf(element, 'Arguments').map((each) => each.text)
    const fault = this.#feed(shell, command, fragments)
    if (fault !== undefined) {
      shell.commands.delete(id.toUpperCase())
      return { fault }
    }
    return { body: `<rsp:CommandResponse><rsp:CommandId>${escapeXml(id)}</rsp:CommandId></rsp:CommandResponse>` }
  }

  send(shell: Shell, element: XmlElement | undefined): ShellAnswer {
    if (element?.name !== 'Send' || element.namespace !== SHELL) return refuse('body-invalid', 'Send')
    for (const stream of childrenOf(element, 'Stream')) {
      if (stream.attributes.Name !== 'stdin' && stream.attributes.Name !== 'pr') {
        return refuse('stream-invalid', stream.attributes.Name)
      }
      const commandId = stream.attributes.CommandId
      const command = commandId === undefined ? undefined : shell.commands.get(commandId.toUpperCase())
      if (commandId !== undefined && command === undefined) return refuse('command-not-found', commandId)
      const fault = this.#feed(shell, command, [stream.text])
      if (fault !== undefined) return { fault }
    }
    return { body: '<rsp:SendResponse/>' }
  }

  signal(shell: Shell, element: XmlElement | undefined): ShellAnswer {
    if (element?.name !== 'Signal' || element.namespace !== SHELL) return refuse('body-invalid', 'Signal')
    const commandId = element.attributes.CommandId ?? ''
    const command = shell.commands.get(commandId.toUpperCase())
    if (command === undefined) return refuse('command-not-found', commandId)
    if (childOf(element, 'Code')?.text.trim() === STOP_SIGNAL) this.runner.stop(shell, command)
    else this.#closeCommand(shell, command)
    return { body: '<rsp:SignalResponse/>' }
  }

  close(shell: Shell): void {
    if (shell.isClosed) return
    shell.isClosed = true
    this.runner.abandon(shell)
    this.shells.delete(shell.id)
    for (const receive of shell.receives.values()) this.#abort(receive, wsmanFault('shell-not-found', shell.id))
    shell.receives.clear()
  }

  /** Shells nobody is connected to any more who ever used them. */
  orphans(): number {
    return [...this.shells.values()].filter((shell) => shell.isOrphan()).length
  }

  #feed(shell: Shell, command: ShellCommand | undefined, fragments: string[]): WsmanFault | undefined {
    try {
      for (const text of fragments) {
        const events = shell.pool.receive(Buffer.from(text, 'base64'), command?.id)
        for (const event of events) this.#accept(shell, command, event)
      }
      return undefined
    } catch (error) {
      return wsmanFault('data-invalid', error instanceof Error ? error.message : String(error))
    }
  }

  #accept(shell: Shell, command: ShellCommand | undefined, event: ServerEvent): void {
    if (command === undefined) return
    if (event.kind === 'pipeline') {
      command.pipelineId = event.pipelineId
      command.commands = event.commands
      if (!event.hasInput) this.runner.start(shell, command)
    } else if (event.kind === 'input-ended' && command.state === 'waiting') this.runner.start(shell, command)
  }

  #closeCommand(shell: Shell, command: ShellCommand): void {
    this.runner.stop(shell, command)
    const receive = shell.receives.get(command)
    shell.receives.delete(command)
    if (receive !== undefined) this.#abort(receive, wsmanFault('operation-aborted'))
    if (command.pipelineId !== undefined) shell.pool.forget(command.pipelineId)
    shell.commands.delete(command.id.toUpperCase())
  }

  #abort(receive: PendingReceive, fault: WsmanFault): void {
    clearTimeout(receive.timer)
    receive.answer(500, this.#o.writeFault(fault, receive.messageId))
  }

  #wakePipeline(shell: Shell, pipelineId: string | undefined): void {
    if (shell.isWriting) return
    if (pipelineId === undefined) this.#wake(shell, undefined)
    for (const command of shell.commands.values()) if (command.pipelineId === pipelineId) this.#wake(shell, command)
  }

  #wake(shell: Shell, command: ShellCommand | undefined): void {
    const receive = shell.receives.get(command)
    if (receive !== undefined) this.#o.onReceivable(shell, receive)
  }

  #closeIdle(): void {
    const now = Date.now()
    for (const shell of [...this.shells.values()]) {
      if (!shell.isIdleSince(now)) continue
      this.#ledger.shellsExpired += 1
      this.close(shell)
    }
  }
}

function refuse(...parameters: Parameters<typeof wsmanFault>): { fault: WsmanFault } {
  return { fault: wsmanFault(...parameters) }
}
