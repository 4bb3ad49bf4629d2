import { maskXml } from './mask-xml.ts'
import { MESSAGE_TYPES, type PsrpMessage } from './message.ts'

/** One PSRP message as it passed, for people to read: what is secret in it is masked, and what is long is cut. */
export type TraceEntry = {
  readonly direction: 'sent' | 'received'
  /** The name of its MessageType, such as `CREATE_PIPELINE`. */
  readonly messageType: string
  readonly runspacePoolId: string
  readonly pipelineId: string | undefined
  readonly xml: string
}

/** What it throws is ignored. */
export type Trace = (entry: TraceEntry) => void

/** Of the XML of one message, unless the pool was given another limit. */
export const TRACE_CHARACTERS_MAX = 20_000

const NAMES = new Map<number, string>(Object.entries(MESSAGE_TYPES).map(([key, type]) => [type, nameOf(key)]))

/** Shows one message to `trace`. */
export function traceMessage(
  trace: Trace,
  direction: TraceEntry['direction'],
  message: PsrpMessage,
  charactersMax = TRACE_CHARACTERS_MAX,
): void {
  try {
    trace({
      direction,
      messageType: NAMES.get(message.type) ?? `0x${(message.type >>> 0).toString(16).padStart(8, '0')}`,
      runspacePoolId: message.runspacePoolId,
      pipelineId: message.pipelineId,
      xml: maskXml(message.xml, charactersMax),
    })
  } catch {
    // Whoever looks on must not change what happens.
  }
}

/** `runspacePoolState` is RUNSPACEPOOL_STATE in [MS-PSRP] 2.2.1. */
function nameOf(key: string): string {
  return key
    .replace(/([a-z])([A-Z])/g, '$1_$2')
    .toUpperCase()
    .replace('RUNSPACE_POOL', 'RUNSPACEPOOL')
}
