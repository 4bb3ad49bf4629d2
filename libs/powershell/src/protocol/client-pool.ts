import { PermanentError } from '@gatehouse/messages'
import { checkCommand } from './check-command.ts'
import { decodeClixml } from './clixml-decode.ts'
import type { Command, ErrorRecord } from './command.ts'
import { readErrorRecord } from './error-record.ts'
import { type AssemblerLimits, cutIntoFragments, DEFAULT_ASSEMBLER_LIMITS, FragmentAssembler } from './fragments.ts'
import { MESSAGE_TYPES, NO_PIPELINE, type PsrpMessage, readMessage, writeMessage } from './message.ts'
import { isPsObject, type PsData } from './ps-data.ts'
import { CLIENT_VERSIONS, createPipelineXml, initRunspacePoolXml, sessionCapabilityXml } from './session-xml.ts'
import type { Trace } from './trace.ts'

export type PoolState = 'before-open' | 'opening' | 'opened' | 'closed' | 'broken'
export type PipelineState = 'running' | 'stopping' | 'stopped' | 'completed' | 'failed'

export type ClientEvent =
  | { readonly kind: 'pool-state'; readonly state: PoolState; readonly reason: ErrorRecord | undefined }
  | { readonly kind: 'output'; readonly pipelineId: string; readonly value: PsData }
  | { readonly kind: 'error'; readonly pipelineId: string; readonly record: ErrorRecord }
  /** Without a pipeline: a warning to the whole pool. */
  | { readonly kind: 'warning'; readonly pipelineId: string | undefined; readonly text: string }
  | {
      readonly kind: 'pipeline-state'
      readonly pipelineId: string
      readonly state: PipelineState
      readonly reason: ErrorRecord | undefined
    }
  /** The server waits for an answer (a prompt) that nobody can give. */
  | { readonly kind: 'prompt'; readonly pipelineId: string | undefined; readonly method: string }

// RunspacePoolState and PSInvocationState, [MS-PSRP] 2.2.3.4 and 2.2.3.5.
const POOL_STATES: readonly PoolState[] = ['before-open', 'opening', 'opened', 'closed', 'closed', 'broken']
const PIPELINE_STATES: readonly PipelineState[] = ['running', 'running', 'stopping', 'stopped', 'completed', 'failed']
/** A host call with this id wants no answer (ServerDispatchTable.VoidCallId). */
const VOID_CALL_ID = -100n
const STREAM_OF_POOL = ''

/**
 * The client's half of one runspace pool, without I/O: `open` and `startPipeline` give the bytes to send, `receive` takes
 * what came and says what it means. After an error thrown by `receive` the pool is unusable.
 */
export class ClientPool {
  readonly runspacePoolId: string
  private readonly runspaces: { min: number; max: number }
  private readonly limits: AssemblerLimits
  readonly trace: Trace | undefined
  private readonly assemblers = new Map<string, FragmentAssembler>()
  /** Of pipelines whose output is wanted in part. */
  private readonly wanted = new Map<string, ReadonlySet<string>>()
  private currentState: PoolState = 'before-open'
  private serverProtocolVersion: string | undefined
  private objectCount = 0

  constructor(options: {
    runspacePoolId: string
    runspaces?: { min: number; max: number }
    limits?: Partial<AssemblerLimits>
    trace?: Trace | undefined
  }) {
    this.runspacePoolId = options.runspacePoolId.toLowerCase()
    this.runspaces = options.runspaces ?? { min: 1, max: 1 }
    this.limits = { ...DEFAULT_ASSEMBLER_LIMITS, ...options.limits }
    this.trace = options.trace
    this.assemblers.set(STREAM_OF_POOL, new FragmentAssembler(this.limits))
  }

  get state(): PoolState {
    return this.currentState
  }

  /** What both sides speak; undefined until the server has said it. */
  get protocolVersion(): string | undefined {
    return this.serverProtocolVersion
  }

  /** SESSION_CAPABILITY and INIT_RUNSPACEPOOL as fragments, for creationXml. */
  open(fragmentBytesMax: number): Buffer {
    if (this.currentState !== 'before-open') throw wrongState('open the pool', 'before-open', this.currentState)
    this.currentState = 'opening'
    const capability = this.message(MESSAGE_TYPES.sessionCapability, undefined, sessionCapabilityXml(CLIENT_VERSIONS))
    const init = this.message(MESSAGE_TYPES.initRunspacePool, undefined, initRunspacePoolXml(this.runspaces))
    return Buffer.concat([...this.cut(capability, fragmentBytesMax), ...this.cut(init, fragmentBytesMax)])
  }

  /**
   * CREATE_PIPELINE as fragments, in the order they must be sent. Throws what `checkCommand` throws, and
   * PermanentError('value-refused') for a parameter that has no encoding. `properties`: the only ones that the objects of its
   * output will have.
   */
  startPipeline(
    command: Command,
    options: { pipelineId: string; fragmentBytesMax: number; properties?: ReadonlySet<string> | undefined },
  ): Buffer[] {
    checkCommand(command)
    if (this.currentState !== 'opened') throw wrongState('start a pipeline', 'opened', this.currentState)
    const pipelineId = options.pipelineId.toLowerCase()
    const xml = createPipelineXml(command, this.serverProtocolVersion ?? '2.0')
    this.assemblers.set(pipelineId, new FragmentAssembler(this.limits))
    if (options.properties !== undefined) this.wanted.set(pipelineId, options.properties)
    return this.cut(this.message(MESSAGE_TYPES.createPipeline, pipelineId, xml), options.fragmentBytesMax)
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
    for (const message of assembler.receive(bytes)) this.accept(readMessage('client', message), stream, events)
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

  private accept(message: PsrpMessage, stream: string, events: ClientEvent[]): void {
    const { runspacePoolId } = message
    // Some servers leave the id out of their first message.
    if (runspacePoolId !== this.runspacePoolId && runspacePoolId !== NO_PIPELINE) throw malformed('a message of another pool')
    const pipelineId = message.pipelineId ?? (stream === STREAM_OF_POOL ? undefined : stream)
    if (pipelineId === undefined) {
      this.acceptForPool(message, events)
      return
    }
    if (this.assemblers.has(pipelineId)) acceptForPipeline(message, { pipelineId, wanted: this.wanted.get(pipelineId) }, events)
  }

  private acceptForPool(message: PsrpMessage, events: ClientEvent[]): void {
    switch (message.type) {
      case MESSAGE_TYPES.sessionCapability:
        this.acceptCapability(message)
        return
      case MESSAGE_TYPES.runspacePoolState:
        this.acceptState(message, events)
        return
      case MESSAGE_TYPES.warningRecord:
        events.push({ kind: 'warning', pipelineId: undefined, text: readWarning(message.xml) })
        return
      case MESSAGE_TYPES.runspacePoolHostCall:
        acceptHostCall(message, undefined, events)
        return
      default:
      // Availability, private data, user events and what later versions add change nothing here.
    }
  }

  private acceptCapability(message: PsrpMessage): void {
    const version = propertyOf(decodeClixml(message.xml), 'protocolversion')
    if (typeof version !== 'string' || !/^2\.\d{1,3}$/.test(version)) throw malformed('an unsupported protocol version')
    this.serverProtocolVersion = version
  }

  private acceptState(message: PsrpMessage, events: ClientEvent[]): void {
    const { state, reason } = readState(message.xml, 'RunspaceState', POOL_STATES)
    if (state === 'opened' && this.serverProtocolVersion === undefined)
      throw malformed('an open pool without SESSION_CAPABILITY')
    this.currentState = state
    events.push({ kind: 'pool-state', state, reason })
  }

  private message(type: number, pipelineId: string | undefined, xml: string): Buffer {
    return writeMessage('server', { type, runspacePoolId: this.runspacePoolId, pipelineId, xml })
  }

  private cut(message: Buffer, fragmentBytesMax: number): Buffer[] {
    return cutIntoFragments(++this.objectCount, message, fragmentBytesMax)
  }
}

function acceptForPipeline(
  message: PsrpMessage,
  { pipelineId, wanted }: { pipelineId: string; wanted: ReadonlySet<string> | undefined },
  events: ClientEvent[],
): void {
  switch (message.type) {
    case MESSAGE_TYPES.pipelineOutput:
      events.push({ kind: 'output', pipelineId, value: decodeClixml(message.xml, wanted) })
      return
    case MESSAGE_TYPES.errorRecord:
      events.push({ kind: 'error', pipelineId, record: readErrorRecord(decodeClixml(message.xml)) })
      return
    case MESSAGE_TYPES.warningRecord:
      events.push({ kind: 'warning', pipelineId, text: readWarning(message.xml) })
      return
    case MESSAGE_TYPES.pipelineState: {
      const { state, reason } = readState(message.xml, 'PipelineState', PIPELINE_STATES)
      events.push({ kind: 'pipeline-state', pipelineId, state, reason })
      return
    }
    case MESSAGE_TYPES.pipelineHostCall:
      acceptHostCall(message, pipelineId, events)
      return
    default:
    // Debug, verbose, progress and information records are not collected.
  }
}

function acceptHostCall(message: PsrpMessage, pipelineId: string | undefined, events: ClientEvent[]): void {
  const data = decodeClixml(message.xml)
  if (propertyOf(data, 'ci') === VOID_CALL_ID) return
  const method = propertyOf(data, 'mi')
  events.push({ kind: 'prompt', pipelineId, method: (isPsObject(method) ? method.text : undefined) ?? 'unknown' })
}

function readWarning(xml: string): string {
  const data = decodeClixml(xml)
  const text = propertyOf(data, 'InformationalRecord_Message')
  if (typeof text === 'string') return text
  return (isPsObject(data) ? data.text : undefined) ?? ''
}

function readState<T>(xml: string, name: string, states: readonly T[]): { state: T; reason: ErrorRecord | undefined } {
  const data = decodeClixml(xml)
  const number = propertyOf(data, name)
  const state = typeof number === 'number' ? states[number] : undefined
  if (state === undefined) throw malformed(`a ${name} that is not known`)
  const reason = propertyOf(data, 'ExceptionAsErrorRecord')
  return { state, reason: isPsObject(reason) ? readErrorRecord(reason) : undefined }
}

function propertyOf(data: PsData, name: string): PsData | undefined {
  return isPsObject(data) ? data.properties[name] : undefined
}

function wrongState(action: string, expected: PoolState, current: PoolState): PermanentError {
  return new PermanentError('psrp-state', `Cannot ${action}: expected state ${expected}, current state ${current}`)
}

function malformed(what: string): PermanentError {
  return new PermanentError('psrp-malformed', `The server's messages cannot be followed: ${what}`)
}
