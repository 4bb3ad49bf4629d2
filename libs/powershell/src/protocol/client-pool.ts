import { PermanentError } from '@gatehouse/messages'
import { checkCommand } from './check-command.ts'
import { decodeClixml } from './clixml-decode.ts'
import type { Command, ErrorRecord, InformationRecord, ProgressRecord } from './command.ts'
import { type AssemblerLimits, cutIntoFragments, DEFAULT_ASSEMBLER_LIMITS, FragmentAssembler } from './fragments.ts'
import { holdsSecureValue } from './holds-secure-value.ts'
import { MESSAGE_TYPES, NO_PIPELINE, type PsrpMessage, readMessage, writeMessage } from './message.ts'
import {
  propertyOf,
  readAvailability,
  readHostCall,
  readPipelineMessage,
  readPoolState,
  readUserEvent,
} from './pipeline-message.ts'
import { checkServerVersions, minorOf } from './protocol-version.ts'
import type { PsData } from './ps-data.ts'
import { SessionKey } from './session-key.ts'
import {
  CLIENT_VERSIONS,
  createPipelineXml,
  initRunspacePoolXml,
  poolCallXml,
  publicKeyXml,
  sessionCapabilityXml,
} from './session-xml.ts'
import { type Trace, traceMessage } from './trace.ts'

export type PoolState = 'before-open' | 'opening' | 'opened' | 'closed' | 'broken'
export type PipelineState = 'running' | 'stopping' | 'stopped' | 'completed' | 'failed'

/** What the bytes of a server mean. */
export type ClientEvent =
  | { readonly kind: 'pool-state'; readonly state: PoolState; readonly reason: ErrorRecord | undefined }
  | { readonly kind: 'output'; readonly pipelineId: string; readonly value: PsData }
  | { readonly kind: 'error'; readonly pipelineId: string; readonly record: ErrorRecord }
  /** Without a pipeline: a warning to the whole pool. */
  | { readonly kind: 'warning'; readonly pipelineId: string | undefined; readonly text: string }
  | { readonly kind: 'verbose' | 'debug'; readonly pipelineId: string; readonly text: string }
  | { readonly kind: 'progress'; readonly pipelineId: string; readonly record: ProgressRecord }
  | { readonly kind: 'information'; readonly pipelineId: string; readonly record: InformationRecord }
  | {
      readonly kind: 'pipeline-state'
      readonly pipelineId: string
      readonly state: PipelineState
      readonly reason: ErrorRecord | undefined
    }
  /** The server waits for an answer (a prompt) that nobody can give. */
  | { readonly kind: 'prompt'; readonly pipelineId: string | undefined; readonly method: string }
  /** The answer to `callPool`: a number for `get-available`, else whether it was done. */
  | { readonly kind: 'availability'; readonly callId: bigint; readonly answer: boolean | number }
  /** An engine event that the server forwards; `value` is all of it. */
  | { readonly kind: 'user-event'; readonly source: string; readonly value: PsData }
  /** The server wants the client's public key: see `requestSessionKey`. */
  | { readonly kind: 'public-key-request' }
  | { readonly kind: 'session-key' }

/** What can be asked of an open pool ([MS-PSRP] 2.2.2.6, 2.2.2.7, 2.2.2.11 and 2.2.2.32; `reset` needs protocol 2.3). */
export type PoolCall =
  | { readonly kind: 'set-max' | 'set-min'; readonly runspaces: number }
  | { readonly kind: 'get-available' | 'reset' }

const POOL_CALL_TYPES = {
  'set-max': MESSAGE_TYPES.setMaxRunspaces,
  'set-min': MESSAGE_TYPES.setMinRunspaces,
  'get-available': MESSAGE_TYPES.getAvailableRunspaces,
  reset: MESSAGE_TYPES.resetRunspaceState,
}
const STREAM_OF_POOL = ''
/** Types of messages for the pool are 0x0001…. and 0x0002…., those for pipelines 0x0004…. ([MS-PSRP] 2.2.1). */
const PIPELINE_TYPES_FROM = 0x00040000
const RESET_SINCE_MINOR = 3

/**
 * The client's half of one runspace pool, without I/O: `open`, `startPipeline`, … give the bytes to send, `receive` takes
 * what came and says what it means. Pipelines may run at the same time, their streams interleaved in any way. After an error
 * thrown by `receive` the pool is unusable.
 */
export class ClientPool {
  readonly runspacePoolId: string
  readonly trace: Trace | undefined
  /** What encrypts SecureStrings, once `requestSessionKey` has been answered. */
  readonly sessionKey = new SessionKey()
  private readonly limits: AssemblerLimits
  private readonly traceCharactersMax: number | undefined
  private readonly assemblers = new Map<string, FragmentAssembler>()
  /** Of pipelines whose output is wanted in part. */
  private readonly wanted = new Map<string, ReadonlySet<string>>()
  private currentRunspaces: { min: number; max: number }
  private currentState: PoolState = 'before-open'
  private serverProtocolVersion: string | undefined
  private privateData: PsData | undefined
  private keyIsRequested = false
  private exchange: Promise<void> | undefined
  private objectCount = 0
  private callCount = 0n
  private readonly calls = new Map<bigint, PoolCall>()

  constructor(options: {
    runspacePoolId: string
    runspaces?: { min: number; max: number }
    limits?: Partial<AssemblerLimits>
    trace?: Trace | undefined
    /** Of the XML of one message that `trace` is shown. */
    traceCharactersMax?: number | undefined
  }) {
    this.runspacePoolId = options.runspacePoolId.toLowerCase()
    this.currentRunspaces = { ...(options.runspaces ?? { min: 1, max: 1 }) }
    this.limits = { ...DEFAULT_ASSEMBLER_LIMITS, ...options.limits }
    this.trace = options.trace
    this.traceCharactersMax = options.traceCharactersMax
    this.assemblers.set(STREAM_OF_POOL, new FragmentAssembler(this.limits))
  }

  get state(): PoolState {
    return this.currentState
  }

  /** What both sides speak; undefined until the server has said it. */
  get protocolVersion(): string | undefined {
    return this.serverProtocolVersion
  }

  /** As asked for, set since, or told by RUNSPACEPOOL_INIT_DATA. */
  get runspaces(): { readonly min: number; readonly max: number } {
    return this.currentRunspaces
  }

  /** What the server says of itself (PSVersionTable, …); undefined until it has. */
  get applicationPrivateData(): PsData | undefined {
    return this.privateData
  }

  /**
   * `requestSessionKey` is due: a SecureString was received that nobody can reveal yet, or a server before protocol 2.2 waits for the
   * public key before it sends one.
   */
  get isKeyWanted(): boolean {
    return this.sessionKey.isMissed || (this.keyIsRequested && !this.sessionKey.isReady)
  }

  /** SESSION_CAPABILITY and INIT_RUNSPACEPOOL as fragments, for creationXml. */
  open(fragmentBytesMax: number): Buffer {
    if (this.currentState !== 'before-open') throw wrongState('open the pool', 'before-open', this.currentState)
    this.currentState = 'opening'
    const capability = this.message(MESSAGE_TYPES.sessionCapability, undefined, sessionCapabilityXml(CLIENT_VERSIONS))
    const init = this.message(MESSAGE_TYPES.initRunspacePool, undefined, initRunspacePoolXml(this.currentRunspaces))
    return Buffer.concat([...this.cut(capability, fragmentBytesMax), ...this.cut(init, fragmentBytesMax)])
  }

  /** True when the command cannot be sent before `requestSessionKey` has been answered. */
  needsSessionKey(command: Command): boolean {
    return !this.sessionKey.isReady && holdsSecureValue(command.parameters)
  }

  /** PUBLIC_KEY as fragments, to be sent on the pool's own stream; the answer is a `session-key` event there. */
  async requestSessionKey(fragmentBytesMax: number): Promise<Buffer[]> {
    if (this.currentState !== 'opened') throw wrongState('exchange keys', 'opened', this.currentState)
    const publicKey = await this.sessionKey.createPublicKey()
    return this.cut(this.message(MESSAGE_TYPES.publicKey, undefined, publicKeyXml(publicKey)), fragmentBytesMax)
  }

  /** Of all who share this pool one exchanges the key; the others wait for the same. */
  exchangeKeyOnce(perform: () => Promise<void>): Promise<void> {
    this.exchange ??= perform().finally(() => {
      this.exchange = undefined
    })
    return this.exchange
  }

  /**
   * CREATE_PIPELINE as fragments, in the order they must be sent. Throws what `checkCommand` throws, PermanentError('psrp-state')
   * while the pool is not open, PermanentError('value-refused') for a parameter that has no encoding, and
   * PermanentError('psrp-session-key-missing') when `needsSessionKey`. `properties`: the only ones that the objects of its output will have.
   */
  startPipeline(
    command: Command,
    options: { pipelineId: string; fragmentBytesMax: number; properties?: ReadonlySet<string> | undefined },
  ): Buffer[] {
    checkCommand(command)
    if (this.currentState !== 'opened') throw wrongState('start a pipeline', 'opened', this.currentState)
    const pipelineId = options.pipelineId.toLowerCase()
    const xml = createPipelineXml(command, this.serverProtocolVersion ?? '2.0', this.sessionKey)
    this.assemblers.set(pipelineId, new FragmentAssembler(this.limits))
    if (options.properties !== undefined) this.wanted.set(pipelineId, options.properties)
    return this.cut(this.message(MESSAGE_TYPES.createPipeline, pipelineId, xml), options.fragmentBytesMax)
  }

  /**
   * One question to the pool, to be sent on its own stream; the answer is an `availability` event there with the same call
   * id. Throws PermanentError('psrp-state') while the pool is not open, and for `reset` on a protocol before 2.3.
   */
  callPool(call: PoolCall, fragmentBytesMax: number): { callId: bigint; fragments: Buffer[] } {
    if (this.currentState !== 'opened') throw wrongState('ask the pool', 'opened', this.currentState)
    if (call.kind === 'reset' && minorOf(this.serverProtocolVersion ?? '2.0') < RESET_SINCE_MINOR)
      throw new PermanentError('psrp-state', `Cannot reset a runspace over protocol ${this.serverProtocolVersion}`)
    const callId = ++this.callCount
    this.calls.set(callId, call)
    const message = this.message(POOL_CALL_TYPES[call.kind], undefined, poolCallXml(call, callId))
    return { callId, fragments: this.cut(message, fragmentBytesMax) }
  }

  /**
   * Takes bytes of one stream: a pipeline's or, with undefined, the pool's own. What is for a forgotten pipeline is dropped.
   * Throws PermanentError('psrp-…' | 'xml-…' | 'clixml-…').
   */
  receive(pipelineId: string | undefined, bytes: Uint8Array): ClientEvent[] {
    const events: ClientEvent[] = []
    const stream = pipelineId?.toLowerCase() ?? STREAM_OF_POOL
    const assembler = this.assemblers.get(stream)
    if (assembler === undefined) return events
    for (const message of assembler.receive(bytes)) {
      const event = this.accept(readMessage('client', message), stream)
      if (event !== undefined) events.push(event)
    }
    return events
  }

  /** False when a message of the pipeline is only half there: a pipeline that ends so has been cut short. */
  isBetweenMessages(pipelineId: string): boolean {
    return this.assemblers.get(pipelineId.toLowerCase())?.isEmpty ?? true
  }

  forgetPipeline(pipelineId: string): void {
    this.assemblers.delete(pipelineId.toLowerCase())
    this.wanted.delete(pipelineId.toLowerCase())
  }

  private accept(message: PsrpMessage, stream: string): ClientEvent | undefined {
    if (this.trace !== undefined) traceMessage(this.trace, 'received', message, this.traceCharactersMax)
    const { runspacePoolId } = message
    // Some servers leave the id out of their first message.
    if (runspacePoolId !== this.runspacePoolId && runspacePoolId !== NO_PIPELINE) throw malformed('a message of another pool')
    if (message.pipelineId === undefined && (stream === STREAM_OF_POOL || message.type < PIPELINE_TYPES_FROM))
      return this.acceptForPool(message)
    const pipelineId = message.pipelineId ?? stream
    if (stream !== STREAM_OF_POOL && pipelineId !== stream) throw malformed('a message of another pipeline')
    if (!this.assemblers.has(pipelineId)) return undefined
    return readPipelineMessage(message, { pipelineId, wanted: this.wanted.get(pipelineId), key: this.sessionKey })
  }

  private acceptForPool(message: PsrpMessage): ClientEvent | undefined {
    switch (message.type) {
      case MESSAGE_TYPES.sessionCapability:
        this.acceptCapability(message)
        return undefined
      case MESSAGE_TYPES.runspacePoolState:
        return this.acceptState(message)
      case MESSAGE_TYPES.warningRecord: {
        // The same record as a pipeline's.
        const event = readPipelineMessage(message, { pipelineId: '', wanted: undefined, key: this.sessionKey })
        return event?.kind === 'warning' ? { ...event, pipelineId: undefined } : undefined
      }
      case MESSAGE_TYPES.runspacePoolHostCall:
        return readHostCall(message, undefined)
      case MESSAGE_TYPES.runspaceAvailability:
        return this.acceptAvailability(message)
      case MESSAGE_TYPES.userEvent:
        return readUserEvent(message, this.sessionKey)
      case MESSAGE_TYPES.applicationPrivateData:
        this.privateData = propertyOf(decodeClixml(message.xml), 'ApplicationPrivateData')
        return undefined
      case MESSAGE_TYPES.runspacePoolInitData:
        this.acceptInitData(message)
        return undefined
      case MESSAGE_TYPES.publicKeyRequest:
        this.keyIsRequested = true
        return { kind: 'public-key-request' }
      case MESSAGE_TYPES.encryptedSessionKey:
        return this.acceptSessionKey(message)
      default:
        // What later versions add changes nothing here.
        return undefined
    }
  }

  private acceptCapability(message: PsrpMessage): void {
    if (this.serverProtocolVersion !== undefined) throw malformed('a second SESSION_CAPABILITY')
    const data = decodeClixml(message.xml)
    this.serverProtocolVersion = checkServerVersions({
      protocol: propertyOf(data, 'protocolversion'),
      serialization: propertyOf(data, 'SerializationVersion'),
    })
  }

  private acceptState(message: PsrpMessage): ClientEvent {
    const { state, reason } = readPoolState(message)
    if (state === 'opened' && this.serverProtocolVersion === undefined)
      throw malformed('an open pool without SESSION_CAPABILITY')
    this.currentState = state
    return { kind: 'pool-state', state, reason }
  }

  private acceptAvailability(message: PsrpMessage): ClientEvent | undefined {
    const event = readAvailability(message)
    if (event.kind !== 'availability') return undefined
    const call = this.calls.get(event.callId)
    // An answer to nothing that was asked here.
    if (call === undefined) return undefined
    this.calls.delete(event.callId)
    if (event.answer === true && call.kind === 'set-max') this.currentRunspaces.max = call.runspaces
    if (event.answer === true && call.kind === 'set-min') this.currentRunspaces.min = call.runspaces
    return event
  }

  private acceptInitData(message: PsrpMessage): void {
    const data = decodeClixml(message.xml)
    const min = propertyOf(data, 'MinRunspaces')
    const max = propertyOf(data, 'MaxRunspaces')
    if (typeof min === 'number' && typeof max === 'number') this.currentRunspaces = { min, max }
  }

  private acceptSessionKey(message: PsrpMessage): ClientEvent {
    const encrypted = propertyOf(decodeClixml(message.xml), 'EncryptedSessionKey')
    if (typeof encrypted !== 'string') throw malformed('an encrypted session key that is no text')
    this.sessionKey.accept(encrypted)
    return { kind: 'session-key' }
  }

  private message(type: number, pipelineId: string | undefined, xml: string): Buffer {
    const message = { type, runspacePoolId: this.runspacePoolId, pipelineId, xml }
    if (this.trace !== undefined) traceMessage(this.trace, 'sent', message, this.traceCharactersMax)
    return writeMessage('server', message)
  }

  private cut(message: Buffer, fragmentBytesMax: number): Buffer[] {
    return cutIntoFragments(++this.objectCount, message, fragmentBytesMax)
  }
}

function wrongState(action: string, expected: PoolState, current: PoolState): PermanentError {
  return new PermanentError('psrp-state', `Cannot ${action}: expected state ${expected}, current state ${current}`)
}

function malformed(what: string): PermanentError {
  return new PermanentError('psrp-malformed', `The server's messages cannot be followed: ${what}`)
}
