import { RetryableError } from '@gatehouse/messages'

const RECORD_KINDS = ['output', 'error', 'warning', 'verbose', 'debug', 'progress', 'information', 'reason'] as const
export type RecordKind = (typeof RECORD_KINDS)[number]

/** What the host script writes, one a line. `data` is base64 of CLIXML. */
export type HostLine =
  | { op: 'hello'; pid: number; group: boolean; version: string }
  | { op: 'opened' }
  | { op: 'open-failed'; code: number; data: string }
  | { op: 'pong'; bytes: number }
  | { op: RecordKind; id: number; data: string }
  | { op: 'end'; id: number; state: EndState; prompted: boolean; tooLarge: boolean; dropped: number }

/** `refused`: the script could not hand the command to its pool. `unreadable`: it ran, and its results could not be written. */
type EndState = 'completed' | 'failed' | 'stopped' | 'refused' | 'unreadable'

const END_STATES: readonly string[] = ['completed', 'failed', 'stopped', 'refused', 'unreadable'] satisfies EndState[]

/**
 * Reads one line; undefined for what is none of ours, such as the output of a program that a cmdlet started. Throws
 * RetryableError('powershell-malformed') for what begins like one and is not.
 */
export function parseHostLine(text: string): HostLine | undefined {
  if (!text.startsWith('{"op":"')) return undefined
  let line: unknown
  try {
    line = JSON.parse(text)
  } catch (error) {
    throw malformed(error)
  }
  if (!isHostLine(line as Record<string, unknown>)) throw malformed()
  return line as HostLine
}

function isHostLine(line: Record<string, unknown>): boolean {
  switch (line['op']) {
    case 'hello':
      return isCount(line['pid']) && typeof line['group'] === 'boolean' && typeof line['version'] === 'string'
    case 'opened':
      return true
    case 'open-failed':
      return typeof line['code'] === 'number' && typeof line['data'] === 'string'
    case 'pong':
      return isCount(line['bytes'])
    case 'end':
      return (
        isCount(line['id']) &&
        END_STATES.includes(String(line['state'])) &&
        typeof line['prompted'] === 'boolean' &&
        typeof line['tooLarge'] === 'boolean' &&
        isCount(line['dropped'])
      )
    default:
      return RECORD_KINDS.includes(line['op'] as RecordKind) && isCount(line['id']) && typeof line['data'] === 'string'
  }
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

function malformed(cause?: unknown): RetryableError {
  return new RetryableError('powershell-malformed', 'PowerShell wrote a line that cannot be read', {
    cause,
    detail: { mayHaveRun: true, shellLost: true },
  })
}
