import { escapeXml } from '../escape-xml.ts'
import type { Shell, ShellCommand } from './shell.ts'
import { SHELL } from './wsman-namespaces.ts'

/** Envelope, header and states around the payload. */
const OVERHEAD_BYTES = 2_048
/** One Stream element carries at most what one packet of the server's engine does. */
const STREAM_BYTES_MAX = 32_768
const FRAGMENT_HEADER_BYTES = 21

/** The body of a ReceiveResponse with whatever is ready, at most what the client's envelope holds; undefined: nothing yet. */
export function takeReceiveBody(shell: Shell, command: ShellCommand | undefined, maxEnvelopeSize: number): string | undefined {
  const payloadMax = Math.floor(((maxEnvelopeSize - OVERHEAD_BYTES) * 3) / 4 / 1.02)
  const pipelineId = command?.pipelineId
  const isKnown = command === undefined || pipelineId !== undefined
  const bytes = isKnown ? Buffer.from(shell.pool.take(pipelineId, payloadMax)) : Buffer.alloc(0)
  const isDone = pipelineId !== undefined && command?.state === 'ended' && shell.pool.isDone(pipelineId)
  if (bytes.length === 0 && !isDone) return undefined
  const attribute = command === undefined ? '' : ` CommandId="${escapeXml(command.id)}"`
  let streams = ''
  for (const piece of cut(bytes)) streams += `<rsp:Stream Name="stdout"${attribute}>${piece.toString('base64')}</rsp:Stream>`
  const state = command === undefined ? '' : stateOf(command.id, isDone)
  return `<rsp:ReceiveResponse>${streams}${state}</rsp:ReceiveResponse>`
}

function stateOf(commandId: string, isDone: boolean): string {
  const state = `${SHELL}/CommandState/${isDone ? 'Done' : 'Running'}`
  const id = escapeXml(commandId)
  return isDone
    ? `<rsp:CommandState CommandId="${id}" State="${state}"><rsp:ExitCode>0</rsp:ExitCode></rsp:CommandState>`
    : `<rsp:CommandState CommandId="${id}" State="${state}"></rsp:CommandState>`
}

/** At fragment boundaries, as the server's engine hands packets over. */
function* cut(bytes: Buffer): Generator<Buffer> {
  let start = 0
  let end = 0
  while (end < bytes.length) {
    const length = FRAGMENT_HEADER_BYTES + bytes.readUInt32BE(end + 17)
    if (end > start && end + length - start > STREAM_BYTES_MAX) {
      yield bytes.subarray(start, end)
      start = end
    }
    end += length
  }
  if (end > start) yield bytes.subarray(start, end)
}
