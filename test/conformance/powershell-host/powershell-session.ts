import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import {
  type ClientEvent,
  ClientPool,
  type ErrorRecord,
  FRAGMENT_HEADER_BYTES,
  type PsData,
  type PsObject,
  type PsValue,
} from '../../../libs/powershell/src/protocol/index.ts'
import { POWERSHELL_ENVIRONMENT } from '../../environment/powershell-host.ts'

export type SessionResult = {
  output: PsData[]
  errors: ErrorRecord[]
  warnings: string[]
  failed: ErrorRecord | undefined
}

const NO_GUID = '00000000-0000-0000-0000-000000000000'
const FRAGMENT_BYTES_MAX = 1_000_000
const STEP_MS = 30_000
const ELEMENT = /^<(\w+) (?:Stream='Default' )?PSGuid='([0-9a-f-]{36})'(?: \/>|>([^<]*)<\/Data>)$/

/**
 * One session with `pwsh -s`, one command at a time: as little of a client as shows what a server does, so that a finding of these tests
 * is none of the product's own transport.
 */
export class PowerShellSession implements AsyncDisposable {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>
  readonly #pool = new ClientPool({ runspacePoolId: randomUUID() })
  #acknowledged = Promise.withResolvers<void>()
  #onEvent: (event: ClientEvent) => void = () => {}
  readonly #failure = Promise.withResolvers<never>()

  private constructor(executable: string, options: readonly string[], environment: Readonly<Record<string, string>>) {
    this.#child = spawn(executable, ['-s', '-NoLogo', '-NoProfile', ...options], {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { ...process.env, ...POWERSHELL_ENVIRONMENT, ...environment },
    })
    this.#failure.promise.catch(() => {})
    this.#child.once('error', this.#failure.reject)
    this.#child.once('exit', (code) => this.#failure.reject(new Error(`PowerShell exited with ${code}`)))
    this.#child.stdin.on('error', () => {})
    createInterface({ input: this.#child.stdout }).on('line', (line) => this.#accept(line))
  }

  /** Starts PowerShell with these further arguments and opens a session of one runspace. */
  static async start(
    executable: string,
    options: readonly string[] = [],
    environment: Readonly<Record<string, string>> = {},
  ): Promise<PowerShellSession> {
    const session = new PowerShellSession(executable, options, environment)
    const opened = session.#until((event) => event.kind === 'pool-state' && event.state === 'opened')
    await session.#send(data(NO_GUID, session.#pool.open(FRAGMENT_BYTES_MAX)))
    await opened
    return session
  }

  invoke(name: string, parameters: Readonly<Record<string, PsValue>> = {}): Promise<SessionResult> {
    return this.#run(name, parameters, (fragment) => fragment)
  }

  /** Sends the text as a script, which the client of the product never does. */
  invokeScript(text: string): Promise<SessionResult> {
    return this.#run(text, {}, (fragment) => {
      const xml = fragment.toString('latin1').replace('<B N="IsScript">false</B>', '<B N="IsScript">true</B>')
      const script = Buffer.from(xml, 'latin1')
      // A fragment ends its header with the length of what follows.
      script.writeUInt32BE(script.length - FRAGMENT_HEADER_BYTES, FRAGMENT_HEADER_BYTES - 4)
      return script
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const exited = once(this.#child, 'exit')
    this.#child.kill('SIGKILL')
    await exited
  }

  async #run(
    name: string,
    parameters: Readonly<Record<string, PsValue>>,
    change: (fragment: Buffer) => Buffer,
  ): Promise<SessionResult> {
    const pipelineId = randomUUID()
    const result: SessionResult = { output: [], errors: [], warnings: [], failed: undefined }
    const ended = this.#until((event) => collect(event, result))
    const fragments = this.#pool.startPipeline({ name, parameters }, { pipelineId, fragmentBytesMax: FRAGMENT_BYTES_MAX })
    await this.#send(`<Command PSGuid='${pipelineId}' />`)
    for (const fragment of fragments) await this.#send(data(pipelineId, change(fragment)))
    await ended
    await this.#send(`<Close PSGuid='${pipelineId}' />`)
    this.#pool.forgetPipeline(pipelineId)
    return result
  }

  /** Each packet waits for its acknowledgement: PowerShell reads them on many threads, in any order (OutOfProcServerMediator.cs). */
  async #send(packet: string): Promise<void> {
    this.#acknowledged = Promise.withResolvers()
    this.#child.stdin.write(`${packet}\n`)
    await this.#limited(this.#acknowledged.promise, packet.slice(0, 60))
  }

  #until(isLast: (event: ClientEvent) => boolean): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#onEvent = (event) => {
      if (isLast(event)) resolve()
    }
    const limited = this.#limited(promise, 'the end of a command')
    limited.catch(() => {})
    return limited
  }

  #limited(promise: Promise<void>, what: string): Promise<void> {
    const { promise: late, reject } = Promise.withResolvers<never>()
    const timer = setTimeout(() => reject(new Error(`PowerShell did not answer in time: ${what}`)), STEP_MS)
    return Promise.race([promise, this.#failure.promise, late]).finally(() => clearTimeout(timer))
  }

  #accept(line: string): void {
    const [, element = '', guid = '', text] = ELEMENT.exec(line) ?? []
    try {
      if (element.endsWith('Ack')) this.#acknowledged.resolve()
      else if (element !== 'Data' || text === undefined) throw new Error(`PowerShell wrote ${line.slice(0, 200)}`)
      else {
        const events = this.#pool.receive(guid === NO_GUID ? undefined : guid, Buffer.from(text, 'base64'))
        for (const event of events) this.#onEvent(event)
      }
    } catch (error) {
      this.#failure.reject(error)
    }
  }
}

/** The properties of a result's only object. */
export function propertiesOf({ output }: SessionResult): PsObject['properties'] {
  if (output.length !== 1) throw new Error(`One object was expected, not ${output.length}`)
  return (output[0] as PsObject).properties
}

function collect(event: ClientEvent, result: SessionResult): boolean {
  if (event.kind === 'output') result.output.push(event.value)
  else if (event.kind === 'error') result.errors.push(event.record)
  else if (event.kind === 'warning') result.warnings.push(event.text)
  else if (event.kind === 'pipeline-state' && ['completed', 'failed', 'stopped'].includes(event.state)) {
    result.failed = event.reason
    return true
  }
  return false
}

function data(guid: string, bytes: Buffer): string {
  return `<Data Stream='Default' PSGuid='${guid}'>${bytes.toString('base64')}</Data>`
}
