import { PermanentError, RetryableError } from '@gatehouse/messages'
import type { ErrorRecord } from '@gatehouse/powershell'
import { FAULT_TABLE, type FaultRow } from './fault-table.ts'

/**
 * Whom a fault concerns. `mailbox`: this object only. `server`: this shell or server, another may do. `account`: every shell of
 * the account. `organization`: nothing will work until somebody or something changes.
 */
export type FaultScope = 'mailbox' | 'server' | 'account' | 'organization'

/** Everything that may tell what went wrong, whether it came from the transport, from WSMan or from the cmdlet itself. */
export type Fault = {
  origin: 'engine' | 'cmdlet'
  message: string
  engineCode?: string
  faultCode?: string
  transportCode?: string
  httpStatus?: number
  fullyQualifiedErrorId?: string
  exceptionType?: string
}

export type ClassifiedFault = { code: string; kind: 'retryable' | 'permanent'; scope: FaultScope; retryAfterMs?: number }

/** What a fault means: by its codes, then by its FullyQualifiedErrorId, then by its text; undefined when no row knows it. */
export function classify(fault: Fault): ClassifiedFault | undefined {
  const row = FAULT_TABLE.find((each) => hasCode(each, fault)) ?? FAULT_TABLE.find((each) => each.text?.test(fault.message))
  if (row === undefined) return undefined
  const retryAfterMs = row.retryAfterMs?.(fault)
  return { code: row.code, kind: row.kind, scope: row.scope, ...(retryAfterMs !== undefined && { retryAfterMs }) }
}

function hasCode(row: FaultRow, fault: Fault): boolean {
  if (fault.engineCode !== undefined && row.engineCodes?.includes(fault.engineCode)) return true
  if (fault.faultCode !== undefined && row.faultCodes?.includes(fault.faultCode)) return true
  if (fault.transportCode !== undefined && row.transportCodes?.includes(fault.transportCode)) return true
  if (fault.httpStatus !== undefined && row.httpStatuses?.includes(fault.httpStatus)) return true
  const id = `${fault.fullyQualifiedErrorId ?? ''} ${fault.exceptionType ?? ''}`.toLowerCase()
  return row.ids?.some((part) => id.includes(part)) ?? false
}

/** The fault of a cmdlet's own error record. */
function faultOf(record: ErrorRecord): Fault {
  return {
    origin: 'cmdlet',
    message: record.message,
    fullyQualifiedErrorId: record.fullyQualifiedErrorId,
    exceptionType: record.exceptionType,
  }
}

/** The error for a cmdlet that answered with an error: Exchange refused it, so nothing of it was done. */
export function errorOfRecord(record: ErrorRecord, cmdlet: string): PermanentError | RetryableError {
  const fault = faultOf(record)
  const known = classify(fault) ?? { code: 'exchange-cmdlet-failed', kind: 'retryable' as const, scope: 'mailbox' as const }
  return createError(known, `${cmdlet}: ${record.message}`, {
    detail: {
      scope: known.scope,
      mayHaveRun: false,
      cmdlet,
      fullyQualifiedErrorId: record.fullyQualifiedErrorId.slice(0, 500),
    },
  })
}

/**
 * The error to throw for whatever the engine threw. One that no row knows is given back as it is, and so is anything that is
 * none of our two classes, such as the reason of an aborted signal.
 */
export function toExchangeError(error: unknown, cmdlet: string): unknown {
  if (!(error instanceof PermanentError || error instanceof RetryableError)) return error
  if (error.detail['scope'] !== undefined) return error
  const known = classify(engineFaultOf(error))
  if (known === undefined) return error
  const askedMs = known.retryAfterMs ?? (error instanceof RetryableError ? error.retryAfterMs : undefined)
  return createError({ ...known, ...(askedMs !== undefined && { retryAfterMs: askedMs }) }, error.message, {
    cause: error,
    detail: { ...error.detail, scope: known.scope, cmdlet },
  })
}

function createError(
  known: ClassifiedFault,
  message: string,
  options: { cause?: unknown; detail: Record<string, string | number | boolean> },
): PermanentError | RetryableError {
  if (known.kind === 'permanent') return new PermanentError(known.code, message, options)
  return new RetryableError(known.code, message, { ...options, retryAfterMs: known.retryAfterMs })
}

const CAUSES_MAX = 8

function engineFaultOf(error: PermanentError | RetryableError): Fault {
  const { detail } = error
  const fault: Fault = { origin: 'engine', message: error.message, engineCode: error.code }
  if (detail['faultCode'] !== undefined) fault.faultCode = String(detail['faultCode'])
  if (typeof detail['status'] === 'number') fault.httpStatus = detail['status']
  if (typeof detail['fullyQualifiedErrorId'] === 'string') fault.fullyQualifiedErrorId = detail['fullyQualifiedErrorId']
  let cause: unknown = error.cause
  for (let depth = 0; depth < CAUSES_MAX && cause instanceof Error; depth++) {
    if ('code' in cause && typeof cause.code === 'string') fault.transportCode ??= cause.code
    cause = cause.cause
  }
  return fault
}
