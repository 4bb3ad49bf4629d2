import { PermanentError } from '@gatehouse/messages'
import type { ClientEvent, PipelineState, PoolState } from './client-pool.ts'
import { decodeClixml } from './clixml-decode.ts'
import type { ErrorRecord } from './command.ts'
import { readErrorRecord } from './error-record.ts'
import { readInformationRecord } from './information-record.ts'
import { readInformationalRecord } from './informational-record.ts'
import { MESSAGE_TYPES, type PsrpMessage } from './message.ts'
import { readProgressRecord } from './progress-record.ts'
import { isPsObject, type PsData } from './ps-data.ts'
import type { SessionKey } from './session-key.ts'
import { textOf } from './text-of.ts'

// RunspacePoolState and PSInvocationState, [MS-PSRP] 2.2.3.4 and 2.2.3.5.
const POOL_STATES: readonly PoolState[] = ['before-open', 'opening', 'opened', 'closed', 'closed', 'broken']
const PIPELINE_STATES: readonly PipelineState[] = ['running', 'running', 'stopping', 'stopped', 'completed', 'failed']
/** A host call with this id wants no answer (ServerDispatchTable.VoidCallId). */
const VOID_CALL_ID = -100n

export type PipelineContext = {
  readonly pipelineId: string
  /** The only properties that are wanted of objects on the output stream. */
  readonly wanted: ReadonlySet<string> | undefined
  readonly key: SessionKey
}

/** What a message of a pipeline says; undefined for what changes nothing. Throws what `decodeClixml` throws. */
export function readPipelineMessage(message: PsrpMessage, context: PipelineContext): ClientEvent | undefined {
  const { pipelineId, wanted, key } = context
  switch (message.type) {
    case MESSAGE_TYPES.pipelineOutput:
      // PowerShell writes nothing at all for a null.
      return { kind: 'output', pipelineId, value: message.xml === '' ? null : decodeClixml(message.xml, wanted, key) }
    case MESSAGE_TYPES.errorRecord:
      return { kind: 'error', pipelineId, record: readErrorRecord(decodeClixml(message.xml)) }
    case MESSAGE_TYPES.warningRecord:
      return { kind: 'warning', pipelineId, text: readInformationalRecord(decodeClixml(message.xml)) }
    case MESSAGE_TYPES.verboseRecord:
      return { kind: 'verbose', pipelineId, text: readInformationalRecord(decodeClixml(message.xml)) }
    case MESSAGE_TYPES.debugRecord:
      return { kind: 'debug', pipelineId, text: readInformationalRecord(decodeClixml(message.xml)) }
    case MESSAGE_TYPES.progressRecord:
      return { kind: 'progress', pipelineId, record: readProgressRecord(decodeClixml(message.xml)) }
    case MESSAGE_TYPES.informationRecord: {
      const record = readInformationRecord(decodeClixml(message.xml, undefined, key))
      return { kind: 'information', pipelineId, record }
    }
    case MESSAGE_TYPES.pipelineState: {
      const { state, reason } = readState(message.xml, 'PipelineState', PIPELINE_STATES)
      return { kind: 'pipeline-state', pipelineId, state, reason }
    }
    case MESSAGE_TYPES.pipelineHostCall:
      return readHostCall(message, pipelineId)
    default:
      return undefined
  }
}

/** A host call that waits for an answer; undefined for one that wants none. */
export function readHostCall(message: PsrpMessage, pipelineId: string | undefined): ClientEvent | undefined {
  const data = decodeClixml(message.xml)
  if (propertyOf(data, 'ci') === VOID_CALL_ID) return undefined
  return { kind: 'prompt', pipelineId, method: textOf(propertyOf(data, 'mi')) || 'unknown' }
}

/** RUNSPACEPOOL_STATE, [MS-PSRP] 2.2.2.9. */
export function readPoolState(message: PsrpMessage): { state: PoolState; reason: ErrorRecord | undefined } {
  return readState(message.xml, 'RunspaceState', POOL_STATES)
}

/** RUNSPACE_AVAILABILITY, [MS-PSRP] 2.2.2.8: the answer to SET_MAX, SET_MIN and RESET a Boolean, to GET_AVAILABLE a number. */
export function readAvailability(message: PsrpMessage): ClientEvent {
  const data = decodeClixml(message.xml)
  const callId = propertyOf(data, 'ci') ?? propertyOf(data, 'CI')
  const answer = propertyOf(data, 'SetMinMaxRunspacesResponse')
  if (typeof callId !== 'bigint') throw malformed('an answer without a call id')
  if (typeof answer === 'boolean') return { kind: 'availability', callId, answer }
  if (typeof answer !== 'bigint' && typeof answer !== 'number') throw malformed('an answer that is neither number nor Boolean')
  return { kind: 'availability', callId, answer: Number(answer) }
}

/** USER_EVENT, [MS-PSRP] 2.2.2.12. */
export function readUserEvent(message: PsrpMessage, key: SessionKey): ClientEvent {
  const value = decodeClixml(message.xml, undefined, key)
  return { kind: 'user-event', source: textOf(propertyOf(value, 'PSEventArgs.SourceIdentifier')), value }
}

/** A member of a decoded message. */
export function propertyOf(data: PsData, name: string): PsData | undefined {
  return isPsObject(data) ? data.properties[name] : undefined
}

function readState<T>(xml: string, name: string, states: readonly T[]): { state: T; reason: ErrorRecord | undefined } {
  const data = decodeClixml(xml)
  const number = propertyOf(data, name)
  const state = typeof number === 'number' ? states[number] : undefined
  if (state === undefined) throw malformed(`a ${name} that is not known`)
  const reason = propertyOf(data, 'ExceptionAsErrorRecord')
  return { state, reason: isPsObject(reason) ? readErrorRecord(reason) : undefined }
}

function malformed(what: string): PermanentError {
  return new PermanentError('psrp-malformed', `The server's messages cannot be followed: ${what}`)
}
