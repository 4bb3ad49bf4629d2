import { PermanentError, RetryableError } from '@gatehouse/messages'
import type { ErrorRecord } from '../protocol/command.ts'
import { createFault, faultError } from '../wsman/fault.ts'
import type { HostLine } from './host-line.ts'

const POOL_STATE_EXCEPTION = 'System.Management.Automation.Runspaces.InvalidRunspacePoolStateException'
const TRANSPORT_EXCEPTION = 'System.Management.Automation.Remoting.PSRemotingTransportException'

/**
 * What the end of a command means for its caller; undefined when it ran to its end, be it with errors. An exception of the
 * transport is PowerShell's own: those of a remote cmdlet arrive as RemoteException.
 */
export function classifyEnd(
  line: Extract<HostLine, { op: 'end' }>,
  reason: ErrorRecord | undefined,
  name: string,
): PermanentError | RetryableError | undefined {
  const because = reason?.message ?? 'no reason given'
  if (reason?.exceptionType === POOL_STATE_EXCEPTION) {
    const detail = { mayHaveRun: line.state !== 'refused', shellLost: true }
    return new RetryableError('runspace-broken', `The runspace pool is broken: ${because}`, { detail })
  }
  if (line.state === 'unreadable') {
    const message = `PowerShell cannot write the results of ${name}: ${because}`
    return new RetryableError('powershell-malformed', message, { detail: { mayHaveRun: true } })
  }
  if (reason?.exceptionType === TRANSPORT_EXCEPTION)
    return faultError(createFault({ code: 0, subcode: '', machine: '', message: because }), true)
  if (line.prompted)
    return new PermanentError('cmdlet-prompted', `The cmdlet asks for an answer: ${because}`, { detail: { mayHaveRun: true } })
  if (line.state === 'refused') {
    const message = `PowerShell does not take the parameters of ${name}: ${because}`
    return new PermanentError('value-refused', message, { detail: { mayHaveRun: false } })
  }
  if (line.state === 'stopped')
    return new RetryableError('cmdlet-stopped', `PowerShell stopped the cmdlet: ${because}`, { detail: { mayHaveRun: true } })
  return undefined
}

/** The error for a pool that could not be opened. `code` is that of the WSMan client, or 0. */
export function classifyOpenFailure(code: number, record: ErrorRecord): PermanentError | RetryableError {
  if (record.exceptionType === TRANSPORT_EXCEPTION)
    return faultError(createFault({ code: code >>> 0, subcode: '', machine: '', message: record.message }), false)
  return new RetryableError('powershell-open-failed', `The runspace pool could not be opened: ${record.message}`, {
    detail: { mayHaveRun: false, shellLost: true },
  })
}
