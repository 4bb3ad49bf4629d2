import { PermanentError } from '@gatehouse/messages'
import { decodeClixml } from './clixml-decode.ts'
import { encodeClixml } from './clixml-encode.ts'
import type { ErrorRecord, ProgressRecord, ReceivedCommand } from './command.ts'
import { errorRecordValue } from './error-record.ts'
import { DEFAULT_ASSEMBLER_LIMITS, FragmentAssembler } from './fragments.ts'
import { informationRecordValue } from './information-record.ts'
import { type InformationalStream, informationalRecordValue } from './informational-record.ts'
import { MESSAGE_TYPES, type PsrpMessage, readMessage, writeMessage } from './message.ts'
import { OutgoingQueue } from './outgoing-queue.ts'
import { progressRecordValue } from './progress-record.ts'
import { minorOf } from './protocol-version.ts'
import { isPsObject, type PsData } from './ps-data.ts'
import { ServerObject, ServerScalar, type ServerValue } from './ps-value.ts'
import { hasNoInput, readReceivedCommands } from './received-pipeline.ts'
import { SessionKey } from './session-key.ts'
import { encryptedSessionKeyXml, sessionCapabilityXml } from './session-xml.ts'

/** What a client's bytes mean. `pipeline` asks for the commands to be run, `opened` comes once, before any pipeline. */
export type ServerEvent =
  | {
      readonly kind: 'opened'
      readonly runspacePoolId: string
      readonly protocolVersion: string
      readonly minRunspaces: number
      readonly maxRunspaces: number
    }
  | {
      readonly kind: 'pipeline'
      readonly pipelineId: string
      readonly commands: readonly ReceivedCommand[]
      readonly hasInput: boolean
    }
  | { readonly kind: 'input'; readonly pipelineId: string; readonly value: PsData }
  | { readonly kind: 'input-ended'; readonly pipelineId: string }

export type PipelineEndState = 'completed' | 'failed' | 'stopped'

export type ServerPoolOptions = {
  /** Called whenever something is queued for a stream (undefined: the pool's own), so that a waiting Receive can be answered. */
  readonly onBytes?: (pipelineId: string | undefined) => void
  /** The newest protocol this server speaks; the client's own is answered when it is older. */
  readonly protocolVersion?: string
  readonly objectBytesMax?: number
  /** Sent as PSVersionTable in APPLICATION_PRIVATE_DATA. */
  readonly powerShellVersion?: string
}

type ServerPipeline = { readonly queue: OutgoingQueue; ended: boolean }

const PIPELINE_STATES: Readonly<Record<PipelineEndState, number>> = { stopped: 3, completed: 4, failed: 5 }
const POOL_STATES = { closed: 3, broken: 5 } as const
const INFORMATIONAL_TYPES: Readonly<Record<InformationalStream, number>> = {
  warning: MESSAGE_TYPES.warningRecord,
  verbose: MESSAGE_TYPES.verboseRecord,
  debug: MESSAGE_TYPES.debugRecord,
}
const DICTIONARY_TYPES =
  '<TN RefId="0"><T>System.Management.Automation.PSPrimitiveDictionary</T><T>System.Collections.Hashtable</T><T>System.Object</T></TN>'
const HOST_METHOD_TYPES: readonly string[] = [
  'System.Management.Automation.Remoting.RemoteHostMethodId',
  'System.Enum',
  'System.ValueType',
  'System.Object',
]
const INFORMATION_SINCE_MINOR = 3
const STREAM_OF_POOL = ''
const PIPELINES_MAX = 1_000

/**
 * The server's half of one runspace pool, without I/O: bytes of the client go in through `receive`, what is to be sent back
 * is queued by `output`, `error`, … and taken in pieces by `take`. After an error thrown by `receive` the pool is unusable.
 */
export class ServerPool {
  /** What encrypts SecureStrings, in both directions; made when the client asks, or before by `createKey`. */
  readonly sessionKey = new SessionKey()
  private readonly options: ServerPoolOptions
  private readonly assemblers = new Map<string, FragmentAssembler>()
  private readonly poolQueue: OutgoingQueue
  private readonly pipelines = new Map<string, ServerPipeline>()
  private runspacePoolId: string | undefined
  private protocolVersion: string | undefined
  private isOpen = false
  private runspaces = { min: 1, max: 1 }
  private objectCount = 0

  constructor(options: ServerPoolOptions = {}) {
    this.options = options
    this.poolQueue = new OutgoingQueue(this.nextObjectId)
  }

  /**
   * Takes whole or partial fragments from creationXml, the arguments of a Command, or a Send; `stream` is the CommandId
   * they came with. Ids in events are lower case. Throws PermanentError('psrp-…' | 'xml-…' | 'clixml-…').
   */
  receive(bytes: Uint8Array, stream?: string): ServerEvent[] {
    const events: ServerEvent[] = []
    const assembler = this.assemblerOf(stream?.toLowerCase() ?? STREAM_OF_POOL)
    for (const message of assembler.receive(bytes)) this.accept(readMessage('server', message), events)
    return events
  }

  /**
   * One object on the output stream. An array is one Object[]; use `outputObjects` for many objects. A SecureString is
   * encrypted with `sessionKey`, which the client may only ask for afterwards.
   */
  output(pipelineId: string, value: ServerValue): void {
    this.outputEncoded(pipelineId, encodeClixml(value, this.sessionKey))
  }

  /** Many objects on the output stream, each its own message. They are encoded while they are taken, not before. */
  outputObjects(pipelineId: string, values: Iterable<ServerValue>): void {
    this.send(pipelineId, this.encodeOutputs(pipelineId, values))
  }

  /** One object on the output stream, encoded before with `encodeClixml`. */
  outputEncoded(pipelineId: string, clixml: string): void {
    this.send(pipelineId, this.message(MESSAGE_TYPES.pipelineOutput, pipelineId, clixml))
  }

  /** A non-terminating error. */
  error(pipelineId: string, record: ErrorRecord): void {
    this.send(pipelineId, this.message(MESSAGE_TYPES.errorRecord, pipelineId, encodeClixml(errorRecordValue(record))))
  }

  warning(pipelineId: string, text: string): void {
    this.informational('warning', pipelineId, text)
  }

  verbose(pipelineId: string, text: string): void {
    this.informational('verbose', pipelineId, text)
  }

  debug(pipelineId: string, text: string): void {
    this.informational('debug', pipelineId, text)
  }

  progress(pipelineId: string, record: ProgressRecord): void {
    const xml = encodeClixml(progressRecordValue(record))
    this.send(pipelineId, this.message(MESSAGE_TYPES.progressRecord, pipelineId, xml))
  }

  /** As Write-Information does it. Clients before protocol 2.3 do not know the stream: for them it is dropped. */
  information(pipelineId: string, text: string): void {
    if (minorOf(this.protocolVersion ?? '2.0') < INFORMATION_SINCE_MINOR) return
    const xml = encodeClixml(informationRecordValue(text))
    this.send(pipelineId, this.message(MESSAGE_TYPES.informationRecord, pipelineId, xml))
  }

  /** Asks the client's host for something, such as `PromptForChoice`; with `wantsAnswer` false only tells it. */
  hostCall(pipelineId: string, call: { method: string; number: number; wantsAnswer: boolean }): void {
    const value = new ServerObject({
      typeNames: [],
      members: 'extended',
      properties: {
        ci: new ServerScalar('I64', call.wantsAnswer ? '1' : '-100'),
        mi: new ServerObject({ typeNames: HOST_METHOD_TYPES, text: call.method, value: call.number }),
        mp: [],
      },
    })
    this.send(pipelineId, this.message(MESSAGE_TYPES.pipelineHostCall, pipelineId, encodeClixml(value)))
  }

  /** Asks the client for its public key: a server before protocol 2.2 does so before it sends a SecureString. */
  requestPublicKey(): void {
    this.sendToPool(MESSAGE_TYPES.publicKeyRequest, '<S></S>')
  }

  /** Ends the pipeline; `record` is the reason of 'failed' or 'stopped'. Later output for it is dropped. */
  state(pipelineId: string, state: PipelineEndState, record?: ErrorRecord): void {
    const pipeline = this.pipelines.get(pipelineId.toLowerCase())
    if (pipeline === undefined || pipeline.ended) return
    this.send(
      pipelineId,
      this.message(MESSAGE_TYPES.pipelineState, pipelineId, stateXml('PipelineState', PIPELINE_STATES[state], record)),
    )
    pipeline.ended = true
  }

  /** Tells the client, on the pool's own stream, that the pool is closed or broken. */
  poolState(state: 'closed' | 'broken', record?: ErrorRecord): void {
    this.isOpen = false
    this.sendToPool(MESSAGE_TYPES.runspacePoolState, stateXml('RunspaceState', POOL_STATES[state], record))
  }

  /** True when `take` would return bytes. */
  hasBytes(pipelineId: string | undefined): boolean {
    const queue = this.queueOf(pipelineId)
    return queue !== undefined && !queue.isEmpty
  }

  /** True when everything, the end state included, has been handed out by `take`: the WSMan CommandState is then Done. */
  isDone(pipelineId: string): boolean {
    const pipeline = this.pipelines.get(pipelineId.toLowerCase())
    return pipeline === undefined || (pipeline.ended && pipeline.queue.isEmpty)
  }

  /** Whole fragments of one stream, at most `maxBytes` of them (≥ 64); empty when there are none. */
  take(pipelineId: string | undefined, maxBytes: number): Uint8Array {
    return this.queueOf(pipelineId)?.take(maxBytes) ?? new Uint8Array(0)
  }

  /** Forgets a pipeline, after Signal terminate. Output to a forgotten pipeline is dropped. */
  forget(pipelineId: string): void {
    this.pipelines.delete(pipelineId.toLowerCase())
    this.assemblers.delete(pipelineId.toLowerCase())
  }

  private readonly nextObjectId = (): number => ++this.objectCount

  private queueOf(pipelineId: string | undefined): OutgoingQueue | undefined {
    return pipelineId === undefined ? this.poolQueue : this.pipelines.get(pipelineId.toLowerCase())?.queue
  }

  private assemblerOf(stream: string): FragmentAssembler {
    let assembler = this.assemblers.get(stream)
    if (assembler === undefined) {
      if (this.assemblers.size >= PIPELINES_MAX) throw malformed('too many streams')
      const objectBytesMax = this.options.objectBytesMax ?? DEFAULT_ASSEMBLER_LIMITS.objectBytesMax
      assembler = new FragmentAssembler({ ...DEFAULT_ASSEMBLER_LIMITS, objectBytesMax })
      this.assemblers.set(stream, assembler)
    }
    return assembler
  }

  private accept(message: PsrpMessage, events: ServerEvent[]): void {
    if (this.runspacePoolId !== undefined && message.runspacePoolId !== this.runspacePoolId)
      throw malformed('another pool is meant')
    switch (message.type) {
      case MESSAGE_TYPES.sessionCapability:
        this.acceptCapability(message)
        return
      case MESSAGE_TYPES.initRunspacePool:
        this.acceptInit(message, events)
        return
      case MESSAGE_TYPES.createPipeline:
        this.acceptPipeline(message, events)
        return
      case MESSAGE_TYPES.pipelineInput:
        events.push({ kind: 'input', pipelineId: this.knownPipeline(message), value: this.decode(message.xml) })
        return
      case MESSAGE_TYPES.endOfPipelineInput:
        events.push({ kind: 'input-ended', pipelineId: this.knownPipeline(message) })
        return
      case MESSAGE_TYPES.setMaxRunspaces:
      case MESSAGE_TYPES.setMinRunspaces:
        this.acceptRunspaces(message)
        return
      case MESSAGE_TYPES.getAvailableRunspaces:
        this.answerAvailability(message, `<I64 N="SetMinMaxRunspacesResponse">${this.availableRunspaces()}</I64>`)
        return
      case MESSAGE_TYPES.resetRunspaceState:
        this.answerAvailability(message, '<B N="SetMinMaxRunspacesResponse">true</B>')
        return
      case MESSAGE_TYPES.publicKey:
        this.acceptPublicKey(message)
        return
      default:
        throw malformed(`a message of type 0x${(message.type >>> 0).toString(16)}`)
    }
  }

  private acceptCapability(message: PsrpMessage): void {
    if (this.protocolVersion !== undefined) throw malformed('a second SESSION_CAPABILITY')
    const data = decodeClixml(message.xml)
    const theirs = isPsObject(data) ? data.properties.protocolversion : undefined
    const powerShell = isPsObject(data) ? data.properties.PSVersion : undefined
    if (typeof theirs !== 'string' || !/^2\.\d{1,3}$/.test(theirs)) throw malformed('an unsupported protocol version')
    if (typeof powerShell !== 'string' || !powerShell.startsWith('2.')) throw malformed('an unsupported PSVersion')
    const ours = this.options.protocolVersion ?? '2.3'
    this.runspacePoolId = message.runspacePoolId
    this.protocolVersion = minorOf(theirs) < minorOf(ours) ? theirs : ours
  }

  private acceptInit(message: PsrpMessage, events: ServerEvent[]): void {
    if (this.protocolVersion === undefined || this.runspacePoolId === undefined)
      throw malformed('INIT_RUNSPACEPOOL before SESSION_CAPABILITY')
    if (this.isOpen) throw malformed('a second INIT_RUNSPACEPOOL')
    const data = decodeClixml(message.xml)
    const min = isPsObject(data) ? data.properties.MinRunspaces : undefined
    const max = isPsObject(data) ? data.properties.MaxRunspaces : undefined
    if (typeof min !== 'number' || typeof max !== 'number' || min < 1 || max < min) throw malformed('the number of runspaces')
    this.isOpen = true
    this.runspaces = { min, max }
    const versions = { protocol: this.protocolVersion, powerShell: '2.0', serialization: '1.1.0.1' }
    this.sendToPool(MESSAGE_TYPES.sessionCapability, sessionCapabilityXml(versions))
    this.sendToPool(MESSAGE_TYPES.applicationPrivateData, privateDataXml(this.options.powerShellVersion ?? '5.1.17763.1'))
    this.sendToPool(MESSAGE_TYPES.runspacePoolState, stateXml('RunspaceState', 2, undefined))
    events.push({
      kind: 'opened',
      runspacePoolId: this.runspacePoolId,
      protocolVersion: this.protocolVersion,
      minRunspaces: min,
      maxRunspaces: max,
    })
  }

  private acceptPipeline(message: PsrpMessage, events: ServerEvent[]): void {
    if (!this.isOpen) throw malformed('CREATE_PIPELINE while the pool is not open')
    const { pipelineId } = message
    if (pipelineId === undefined) throw malformed('CREATE_PIPELINE without a pipeline id')
    if (this.pipelines.has(pipelineId)) throw malformed('a pipeline created twice')
    if (this.pipelines.size >= PIPELINES_MAX) throw malformed('too many pipelines')
    const data = this.decode(message.xml)
    const commands = readReceivedCommands(data)
    this.pipelines.set(pipelineId, { queue: new OutgoingQueue(this.nextObjectId), ended: false })
    events.push({ kind: 'pipeline', pipelineId, commands, hasInput: !hasNoInput(data) })
  }

  private acceptRunspaces(message: PsrpMessage): void {
    const data = decodeClixml(message.xml)
    const name = message.type === MESSAGE_TYPES.setMaxRunspaces ? 'MaxRunspaces' : 'MinRunspaces'
    const count = isPsObject(data) ? data.properties[name] : undefined
    if (typeof count !== 'number') throw malformed('the number of runspaces')
    const wanted = name === 'MaxRunspaces' ? { ...this.runspaces, max: count } : { ...this.runspaces, min: count }
    const isPossible = wanted.min >= 1 && wanted.min <= wanted.max
    if (isPossible) this.runspaces = wanted
    this.answerAvailability(message, `<B N="SetMinMaxRunspacesResponse">${isPossible}</B>`)
  }

  private acceptPublicKey(message: PsrpMessage): void {
    if (!this.isOpen) throw malformed('PUBLIC_KEY while the pool is not open')
    const data = decodeClixml(message.xml)
    const publicKey = isPsObject(data) ? data.properties.PublicKey : undefined
    if (typeof publicKey !== 'string') throw malformed('a public key that is no text')
    this.sendToPool(MESSAGE_TYPES.encryptedSessionKey, encryptedSessionKeyXml(this.sessionKey.answer(publicKey)))
  }

  private availableRunspaces(): number {
    let running = 0
    for (const pipeline of this.pipelines.values()) if (!pipeline.ended) running++
    return Math.max(0, this.runspaces.max - running)
  }

  /** PowerShell writes nothing at all for a null. */
  private decode(xml: string): PsData {
    return xml === '' ? null : decodeClixml(xml, undefined, this.sessionKey)
  }

  private informational(stream: InformationalStream, pipelineId: string, text: string): void {
    const xml = encodeClixml(informationalRecordValue(stream, text))
    this.send(pipelineId, this.message(INFORMATIONAL_TYPES[stream], pipelineId, xml))
  }

  private knownPipeline(message: PsrpMessage): string {
    if (message.pipelineId === undefined || !this.pipelines.has(message.pipelineId)) throw malformed('input for no pipeline')
    return message.pipelineId
  }

  private answerAvailability(message: PsrpMessage, response: string): void {
    const data = decodeClixml(message.xml)
    const ci = isPsObject(data) ? (data.properties.CI ?? data.properties.ci) : undefined
    if (typeof ci !== 'bigint') throw malformed('a call id')
    this.sendToPool(MESSAGE_TYPES.runspaceAvailability, `<Obj RefId="0"><MS>${response}<I64 N="ci">${ci}</I64></MS></Obj>`)
  }

  private message(type: number, pipelineId: string | undefined, xml: string): Buffer {
    if (this.runspacePoolId === undefined)
      throw new PermanentError('psrp-state', 'Cannot send before SESSION_CAPABILITY was received')
    return writeMessage('client', { type, runspacePoolId: this.runspacePoolId, pipelineId, xml })
  }

  private *encodeOutputs(pipelineId: string, values: Iterable<ServerValue>): Generator<Buffer, void> {
    for (const value of values)
      yield this.message(MESSAGE_TYPES.pipelineOutput, pipelineId, encodeClixml(value, this.sessionKey))
  }

  private send(pipelineId: string, source: Buffer | Iterator<Buffer>): void {
    const pipeline = this.pipelines.get(pipelineId.toLowerCase())
    if (pipeline === undefined || pipeline.ended) return
    pipeline.queue.push(source)
    this.options.onBytes?.(pipelineId)
  }

  private sendToPool(type: number, xml: string): void {
    this.poolQueue.push(this.message(type, undefined, xml))
    this.options.onBytes?.(undefined)
  }
}

function stateXml(name: string, state: number, record: ErrorRecord | undefined): string {
  const properties: Record<string, ServerValue> = { [name]: new ServerScalar('I32', String(state)) }
  if (record !== undefined) properties.ExceptionAsErrorRecord = errorRecordValue(record)
  return encodeClixml(new ServerObject({ typeNames: [], properties, members: 'extended' }))
}

function privateDataXml(version: string): string {
  return (
    `<Obj RefId="0"><MS><Obj N="ApplicationPrivateData" RefId="1">${DICTIONARY_TYPES}<DCT><En><S N="Key">PSVersionTable</S>` +
    `<Obj N="Value" RefId="2"><TNRef RefId="0"/><DCT><En><S N="Key">PSVersion</S><Version N="Value">${version}</Version></En>` +
    `<En><S N="Key">PSRemotingProtocolVersion</S><Version N="Value">2.3</Version></En></DCT></Obj></En></DCT></Obj></MS></Obj>`
  )
}

function malformed(what: string): PermanentError {
  return new PermanentError('psrp-malformed', `The client's messages cannot be followed: ${what}`)
}
