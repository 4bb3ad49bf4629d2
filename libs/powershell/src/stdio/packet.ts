import { PermanentError } from '@gatehouse/messages'

export type PacketKind = 'Data' | 'Command' | 'Signal' | 'Close'
export type ReceivedPacket =
  | { readonly kind: 'data'; readonly id: string; readonly bytes: Uint8Array }
  | { readonly kind: 'ack'; readonly of: PacketKind; readonly id: string }

/** The id of packets that are about the session and none of its pipelines. */
export const SESSION_ID = '00000000-0000-0000-0000-000000000000'

const DATA_START = /^<Data Stream='(?:Default|PromptResponse)' PSGuid='([\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12})'>/i
const ACK = /^<(Data|Command|Signal|Close)Ack PSGuid='([\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12})' \/>$/i
const DATA_END = '</Data>'
/** Longer than any packet without data, and than what precedes the data in one that has some. */
const START_BYTES_MAX = 100
const EXCERPT_CHARACTERS = 120

/**
 * One line of what `pwsh -s` reads, without its end: an element with the id of a pipeline or of the session. `data` is one or more
 * fragments of [MS-PSRP], for `Data` only. After OutOfProcessUtils.CreateDataPacket and CreatePSGuidPacket of PowerShell.
 */
export function writePacket(kind: PacketKind, id: string, data?: Uint8Array): string {
  if (data === undefined) return `<${kind} PSGuid='${id}' />`
  return `<${kind} Stream='Default' PSGuid='${id}'>${data.toBase64()}</${kind}>`
}

/**
 * Reads one line of what `pwsh -s` writes, without its end. Ids are given in lower case. Throws PermanentError('stdio-malformed')
 * for everything that PowerShell does not write to a client.
 */
export function readPacket(line: Buffer): ReceivedPacket {
  const start = line.toString('latin1', 0, START_BYTES_MAX)
  const data = DATA_START.exec(start)
  if (data !== null) return { kind: 'data', id: idOf(data[1]), bytes: readData(line, data[0].length) }
  const ack = line.length <= START_BYTES_MAX ? ACK.exec(start) : null
  if (ack === null) throw malformed(`not a packet: ${excerptOf(start)}`)
  return { kind: 'ack', of: kindOf(ack[1]), id: idOf(ack[2]) }
}

function readData(line: Buffer, from: number): Uint8Array {
  const to = line.length - DATA_END.length
  if (to < from || line.toString('latin1', to) !== DATA_END) throw malformed('a Data packet without an end')
  try {
    return Uint8Array.fromBase64(line.toString('latin1', from, to))
  } catch (error) {
    throw malformed('a Data packet that is not base64', error)
  }
}

function kindOf(name: string | undefined): PacketKind {
  if (name === 'Data' || name === 'Command' || name === 'Signal' || name === 'Close') return name
  throw malformed(`an acknowledgement of ${name}`)
}

function idOf(text: string | undefined): string {
  if (text === undefined) throw malformed('a packet without an id')
  return text.toLowerCase()
}

/** Shown to people: whatever it holds, it stays one line of ASCII. */
function excerptOf(text: string): string {
  return JSON.stringify(text.slice(0, EXCERPT_CHARACTERS).replace(/[^\x20-\x7e]/g, '?'))
}

function malformed(what: string, cause?: unknown): PermanentError {
  return new PermanentError('stdio-malformed', `The output of PowerShell cannot be read: ${what}`, { cause })
}
